"""Compiling: TensorRT for RTX really builds the engine of every shipped preset."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

import pytest

from models.compile import FLAVOURS, compile_engine, main
from models.engine.builder import TENSORRT_RTX, Builder
from models.engine.cuda import Device
from models.engine.interface import EngineUnavailableError
from models.engine.store import Store
from models.engine.weights import find_weights, shipped
from shared.errors import BadInputError

PRESETS = shipped(Path(str(resources.files("models") / "weights")))


def has_gpu() -> bool:
    try:
        Device()
    except EngineUnavailableError:
        return False
    return True


def builds(preset: str, store: Store, told: list[str]) -> None:
    outcome = compile_engine(TENSORRT_RTX, preset, store, 1, told.append)
    assert outcome.checked == has_gpu()


@pytest.mark.parametrize("preset", PRESETS)
def test_tensorrt_for_rtx_builds_every_preset_and_keeps_it(preset: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed ('.[rtx]')")
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed ('.[rtx]')")
    store, told = Store(tmp_path), list[str]()
    builds(preset, store, told)
    assert [text.split()[2] for text in told] == ["encoder", "generator"]
    files = {path.name: path.stat() for path in tmp_path.iterdir()}
    assert {Path(name).suffix for name in files} == {".encoder", ".generator", ".json"}
    told.clear()
    builds(preset, store, told)
    assert told == []  # found in the store
    if has_gpu():
        return
    builder = Builder(TENSORRT_RTX)
    assert {"sm75", "sm86", "sm89", "sm120"} <= set(builder.capabilities())
    recipe = builder.recipe(find_weights(preset), " ".join(builder.capabilities()), 1)
    built = store.load(recipe)
    assert built is not None
    assert built.agreement_db is None  # no GPU has seen it


def test_a_network_it_does_not_take_is_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed ('.[rtx]')")
    with pytest.raises(EngineUnavailableError, match="does not take the network"):
        Builder(TENSORRT_RTX)._build_one(b"\x08\x07 no network", [])


def test_a_missing_package_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BadInputError, match="tensorrt cannot be built: the package tensorrt is"):
        compile_engine(FLAVOURS["tensorrt"], "lite", Store(tmp_path), 1, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_needs_no_compiling_is_refused() -> None:
    with pytest.raises(BadInputError, match="'onnxruntime' is not compiled: use one of tensorrt"):
        main(engine="onnxruntime")
