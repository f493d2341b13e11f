"""Whether an engine makes the pictures that the exported networks make."""

from __future__ import annotations

import numpy as np

from models.engine.interface import Engine
from models.engine.sample import Sample

LEAST_DB = 45.0
CHECKED_FRAMES = 6
_EXACT_DB = 200.0


def agreement(engine: Engine, trusted: Engine, sample: Sample) -> float:
    """Return the PSNR between two engines' pictures of real frames, dB; 0 where one is broken.

    Args:
        engine: the one to judge.
        trusted: ONNX Runtime in FP32.
        sample: the frames; all are used.
    """
    ours, theirs = (one.encode(sample.layers, sample.face) for one in (engine, trusted))
    errors = []
    for faces, displacement in zip(sample.faces, sample.displacements, strict=True):
        geometry = faces[None], displacement[None]
        difference = engine.generate(ours, *geometry) - trusted.generate(theirs, *geometry)
        errors.append(float(np.square(difference, dtype=np.float64).mean()))
    error = float(np.mean(errors))
    if not np.isfinite(error):
        return 0.0
    return _EXACT_DB if error == 0 else float(10 * np.log10(4 / error))
