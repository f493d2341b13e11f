"""ONNX Runtime as an engine: what it runs on, batches, another reference."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models.engine import on_onnxruntime
from models.engine.interface import EngineUnavailableError
from models.engine.on_onnxruntime import load, load_cpu, load_cuda
from models.engine.sample import read_sample
from models.engine.weights import find_weights

WEIGHTS = find_weights("lite")


def test_without_cuda_the_cpu_runs_and_the_gpu_is_not_to_be_had() -> None:
    assert load(WEIGHTS).name == "onnxruntime (CPU)"
    with pytest.raises(EngineUnavailableError, match="onnxruntime-gpu is not installed"):
        load_cuda(WEIGHTS)


def test_cuda_that_does_not_start_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("libcublas.so.12: cannot open\nand a page more")

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(on_onnxruntime, "CudaEngine", refuse)
    with pytest.raises(EngineUnavailableError, match=r"cannot be used \(libcublas.*open\)$"):
        load_cuda(WEIGHTS)
    assert load(WEIGHTS).name == "onnxruntime (CPU)"
    assert "onnxruntime runs on the CPU: CUDA cannot be used (libcublas" in caplog.text


def test_callers_in_a_batch_and_a_new_reference_get_their_own_pictures() -> None:
    engine, sample = load_cpu(WEIGHTS), read_sample(frames=2)
    references = [engine.encode(one, sample.face) for one in (sample.layers, -sample.layers)]
    together = engine.generate_batch(references, sample.faces, sample.displacements)
    assert together.shape == (2, 3, 256, 256)
    for row in (1, 0, 1):  # the reference changes with every frame
        one = slice(row, row + 1)
        alone = engine.generate(references[row], sample.faces[one], sample.displacements[one])
        np.testing.assert_array_equal(together[one], alone)
    swapped = engine.generate(references[1], sample.faces[:1], sample.displacements[:1])
    assert np.abs(swapped - together[:1]).max() > 0.1


def test_nothing_is_collected_for_its_maker(tmp_path: Path) -> None:
    # Its package has telemetry that is on: a database in the home folder, sent now and then.
    load = "from models.engine import Engine; Engine.load('lite', 'onnxruntime')"
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    subprocess.run([sys.executable, "-c", load], env=kept | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*onnxruntime*")) == []


def test_pictures_made_at_the_same_time_are_those_made_one_by_one() -> None:
    engine, sample = load_cpu(WEIGHTS), read_sample(frames=2)
    reference = engine.encode(sample.layers, sample.face)
    given = [(sample.faces[n : n + 1], sample.displacements[n : n + 1]) for n in (0, 1)] * 4
    alone = [engine.generate(reference, *one) for one in given]
    with ThreadPoolExecutor(2) as lanes:
        together = list(lanes.map(lambda one: engine.generate(reference, *one), given))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))
