"""ONNX Runtime as an engine: what it runs on, and that it tells nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime as ort
import pytest

from models.engine import on_onnxruntime
from models.engine.interface import EngineUnavailableError
from models.engine.on_onnxruntime import load, load_cuda
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


def test_nothing_is_collected_for_its_maker(tmp_path: Path) -> None:
    # Its package has telemetry that is on: a database in the home folder, sent now and then.
    load = "from models.engine import Engine; Engine.load('lite', 'onnxruntime')"
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    subprocess.run([sys.executable, "-c", load], env=kept | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*onnxruntime*")) == []
