"""The real frames engines are checked on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.engine.check import agreement
from models.engine.interface import DISPLACEMENT, FACE, FACES, LAYERS
from models.engine.on_onnxruntime import load_cpu
from models.engine.sample import SAMPLE, read_sample
from models.engine.weights import find_weights
from models.make_sample import make_sample
from shared.errors import BadInputError


def test_the_shipped_frames_are_real_and_differ() -> None:
    sample = read_sample()
    assert (sample.layers.shape, sample.face.shape) == (LAYERS, FACE)
    assert len(sample.faces) == len(sample.displacements) >= 12
    assert (sample.faces.shape[1:], sample.displacements.shape[1:]) == (FACES[1:], DISPLACEMENT[1:])
    assert (np.abs(sample.layers).max(), sample.face.max()) <= (1, 1 + 1e-5)
    assert np.abs(np.diff(sample.faces, axis=0)).max(axis=(1, 2, 3)).min() > 0.1
    assert 0.01 < np.abs(sample.displacements).max() < 0.5


def test_a_sample_is_made_of_a_clip(demo_clip: Path, tmp_path: Path) -> None:
    assert make_sample(demo_clip, tmp_path / SAMPLE, 2) == 2
    assert read_sample(tmp_path / SAMPLE).faces.shape == (2, *FACES[1:])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / SAMPLE).write_bytes(b"no sample")
    with pytest.raises(BadInputError, match="cannot be read as sample frames"):
        read_sample(tmp_path / SAMPLE)


def test_an_engine_agrees_with_itself_and_a_broken_one_with_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample, weights = read_sample(frames=1), find_weights("lite")
    engine, broken = load_cpu(weights, False), load_cpu(weights, False)
    assert agreement(engine, engine, sample) == 200
    monkeypatch.setattr(broken, "generate", lambda *_: np.full((1, 3, 256, 256), np.nan))
    assert agreement(broken, engine, sample) == 0
