"""PyTorch as an engine: the shipped weights, batches, another reference during a call."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.engine import Engine
from models.engine.check import agreement
from models.engine.on_onnxruntime import load_cpu
from models.engine.sample import Sample, read_sample
from models.engine.weights import find_weights
from shared.errors import BadInputError


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(engine="torch")


@pytest.fixture(scope="module")
def sample() -> Sample:
    return read_sample(frames=2)


def test_it_makes_the_pictures_of_onnx_runtime(engine: Engine, sample: Sample) -> None:
    assert engine.name.startswith("torch")
    assert agreement(engine, load_cpu(find_weights("lite"), False), sample) > 90


def test_callers_that_share_a_launch_do_not_mix(engine: Engine, sample: Sample) -> None:
    mirrored = engine.encode(sample.layers[..., ::-1].copy(), sample.face[..., ::-1].copy())
    references = [engine.encode(sample.layers, sample.face), mirrored]
    together = engine.generate_batch(references, sample.faces, sample.displacements)
    for row, reference in enumerate(references):
        one = slice(row, row + 1)
        alone = engine.generate(reference, sample.faces[one], sample.displacements[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-4)


def test_another_reference_during_a_call_is_shown_at_once(engine: Engine, sample: Sample) -> None:
    geometry = sample.faces[:1], sample.displacements[:1]
    first, second = (engine.encode(one, sample.face) for one in (sample.layers, -sample.layers))
    before = engine.generate(first, *geometry)
    other = engine.generate(second, *geometry)
    assert np.abs(other - before).max() > 0.1
    np.testing.assert_array_equal(engine.generate(first, *geometry), before)


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BadInputError, match="the package torch is not installed"):
        Engine.load(engine="torch")
