"""OpenVINO as an engine: the pictures of ONNX Runtime, files that are none, no telemetry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from models.engine import Engine, on_openvino
from models.engine.check import LEAST_DB, agreement
from models.engine.interface import EngineUnavailableError
from models.engine.on_onnxruntime import load_cpu
from models.engine.on_openvino import load
from models.engine.sample import read_sample
from models.engine.weights import find_weights, int8_path
from shared.errors import BadInputError

WEIGHTS = find_weights("lite")


@pytest.mark.parametrize("quantised", [False, True])
def test_its_pictures_are_onnx_runtimes(quantised: bool) -> None:
    engine = load(WEIGHTS, quantised=quantised)
    assert engine.name.startswith("openvino (CPU, ")
    assert agreement(engine, load_cpu(WEIGHTS, quantised=False), read_sample()) > LEAST_DB


@pytest.mark.parametrize("part", ["encoder", "generator"])
def test_a_file_that_is_no_network_is_named(tmp_path: Path, part: str) -> None:
    for path in (WEIGHTS.encoder, WEIGHTS.generator):
        shutil.copy(path, tmp_path)
    (tmp_path / f"lite-{part}.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(BadInputError, match=f"lite-{part}.onnx cannot be read as a network"):
        load(find_weights("lite", tmp_path))


def test_a_network_of_another_part_is_refused(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS.encoder, tmp_path / "lite-encoder.onnx")
    shutil.copy(WEIGHTS.encoder, tmp_path / "lite-generator.onnx")
    with pytest.raises(BadInputError, match="exported by another version"):
        load(find_weights("lite", tmp_path))
    assert not int8_path("lite", tmp_path).exists()


def test_without_the_package_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineUnavailableError, match="openvino is not installed"):
        load(WEIGHTS)


def test_a_library_that_does_not_start_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("no plugin for CPU\nand a page more")

    broken = ModuleType("openvino")
    broken.Core = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openvino", broken)
    with pytest.raises(EngineUnavailableError, match=r"does not start \(no plugin for CPU\)$"):
        load(WEIGHTS)


def test_a_processor_it_does_not_compile_for_leads_to_the_next_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Core:
        def get_property(self, *_: object) -> list[str]:
            return []

        def read_model(self, path: Path) -> Path:
            return path

        def compile_model(self, *_: object) -> None:
            raise RuntimeError("unsupported instruction set\nand a page more")

    monkeypatch.setattr(on_openvino, "open_core", Core)
    engine = Engine.load("lite")
    assert engine.name == "onnxruntime (CPU)"
    assert "openvino: it does not compile (unsupported instruction set)" in engine.passed_over


def test_nothing_is_told_to_its_maker(tmp_path: Path) -> None:
    # Its package reports every import, over the network and from a thread of its own.
    load_it = (
        "import sys; calls = []\n"
        "sys.addaudithook(lambda e, a: calls.append(e) if e.startswith('socket.') else None)\n"
        "from models.engine import Engine; Engine.load('lite', 'openvino')\n"
        "bad = [m for m in ('openvino_telemetry', 'torch') if sys.modules.get(m)] + calls\n"
        "sys.exit(repr(bad) if bad else 0)"
    )
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", load_it],
        env=kept | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
