"""What an exported network takes, checked before it runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models.engine.interface import AUDIO_INPUT, LAYERS, Floats, Reference
from shared.errors import BadInputError

Signature = dict[str, tuple[int, ...]]  # the inputs' shapes by their names


def check_signature(path: Path, found: Signature, names: Iterable[str]) -> None:
    """Check that a network takes what it is going to be given.

    Raises:
        BadInputError: it was exported by another version.
    """
    # Networks from before the layers take the same names, and three channels.
    if found.keys() != set(names) or found["reference"] != LAYERS:
        raise BadInputError(
            f"{path} takes {found}, not {sorted(names)} with a reference of {LAYERS}: it was "
            "exported by another version; export it again with `python -m models.export`"
        )


def silence_for(found: Signature) -> dict[str, Floats]:
    """Return what a generator hears in a silence; nothing where it has no ears."""
    return {
        name: np.zeros(shape, np.float32) for name, shape in found.items() if name == AUDIO_INPUT
    }


def inputs_of(
    reference: Reference,
    faces: Floats,
    displacement: Floats,
    silence: dict[str, Floats],
    audio: Floats | None,
) -> dict[str, Floats]:
    """Return what a generator on a CPU is given for one picture, by the inputs' names.

    Args:
        reference: whose picture; its features are arrays.
        faces: face images, (1, 9, 256, 256).
        displacement: (1, 2, 256, 256).
        silence: of `silence_for`.
        audio: features of the sound, (300,); None is silence.
    """
    return {
        "faces": faces,
        "displacement": displacement,
        "reference": reference.layers,
        **reference.features,
        **heard(silence, audio),
    }


def heard(silence: dict[str, Floats], audio: Floats | None) -> dict[str, Floats]:
    """Return what a generator hears: nothing where it has no ears, silence where there is none."""
    if audio is None:
        return silence
    return {name: audio.reshape(value.shape) for name, value in silence.items()}
