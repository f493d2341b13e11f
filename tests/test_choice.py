"""Choosing an engine: every way one can fail leads to the next, and is told in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from models.engine import choice, on_onnxruntime
from models.engine.choice import ENGINES, choose, explain
from models.engine.interface import EngineUnavailableError
from shared.errors import BadInputError


def unavailable(reason: str) -> Callable[..., None]:
    def load(*_: object) -> None:
        raise EngineUnavailableError(reason)

    return load


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[..., object]], None]:
    """Put a loader of one's own in the place of an engine's."""

    def replace(name: str, load: Callable[..., object]) -> None:
        module = ModuleType(f"fake_{name}")
        module.load = module.load_cuda = load  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(choice._MODULES, name, module.__name__)

    return replace


def test_a_missing_package_leads_to_the_next_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, package, None)  # what Python does for no such package
    engine = choose()
    assert engine.name.startswith("openvino")
    said = explain(engine)
    assert "tensorrt: the package tensorrt is not installed (pip install 'headcall[gpu]')" in said
    assert "tensorrt-rtx: the package tensorrt_rtx is not installed" in said
    assert "onnxruntime: the package onnxruntime-gpu is not installed" in said
    assert said.count("\n") == 0


def test_a_library_that_does_not_load_is_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tensorrt.py").write_text(
        "raise OSError('libcudart.so.13: cannot open shared object file\\nand a page more')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(BadInputError, match=r"does not load \(libcudart.*object file\)$"):
        choose(engine="tensorrt")


@pytest.mark.parametrize(
    "reason",
    ["building failed (out of memory)", "its pictures differ from ONNX Runtime's: 12.0 dB"],
)
def test_a_failing_engine_leads_to_the_next(
    fake: Callable[[str, Callable[..., object]], None], reason: str
) -> None:
    fake("tensorrt", unavailable("the package tensorrt is not installed"))
    fake("tensorrt-rtx", unavailable(reason))
    engine = choose()
    assert engine.name.startswith("openvino")
    assert f"tensorrt-rtx: {reason}" in engine.passed_over


def test_without_openvino_onnx_runtime_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("tensorrt", "tensorrt_rtx", "openvino"):
        monkeypatch.setitem(sys.modules, package, None)
    engine = choose()
    assert engine.name == "onnxruntime (CPU)"
    assert engine.passed_over[-1] == "openvino: the package openvino is not installed"


def test_the_best_that_works_is_taken(fake: Callable[[str, Callable[..., object]], None]) -> None:
    best = on_onnxruntime.load_cpu(choice.find_weights("lite"), quantised=False)
    fake("tensorrt", unavailable("no"))
    fake("tensorrt-rtx", lambda *_: best)
    assert choose() is best
    assert best.passed_over == ("tensorrt: no",)


def test_an_engine_that_was_asked_for_by_name_is_not_replaced(
    fake: Callable[[str, Callable[..., object]], None],
) -> None:
    fake("tensorrt", unavailable("there is no usable NVIDIA GPU here"))
    with pytest.raises(BadInputError, match="tensorrt cannot be used: there is no usable NVIDIA"):
        choose(engine="tensorrt")


def test_nothing_that_works_is_told_too(
    fake: Callable[[str, Callable[..., object]], None],
) -> None:
    for name in ("tensorrt", "tensorrt-rtx", "openvino", "onnxruntime"):
        fake(name, unavailable("no"))
    with pytest.raises(BadInputError, match="no engine works here: tensorrt: no; tensorrt-rtx: no"):
        choose()


def test_torch_is_never_taken_unasked(fake: Callable[[str, Callable[..., object]], None]) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("torch was asked for")

    fake("torch", asked)
    assert choose().name.startswith("openvino")
    assert "torch" in ENGINES
