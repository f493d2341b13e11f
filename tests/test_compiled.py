"""Loading compiled engines: found again, refused when wrong, built anew when stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.engine import compiled
from models.engine.builder import TENSORRT, TENSORRT_RTX, Flavour
from models.engine.compiled import load_compiled
from models.engine.cuda import CudaError
from models.engine.interface import (
    DISPLACEMENT,
    FACES,
    Engine,
    EngineUnavailableError,
    Floats,
    Reference,
)
from models.engine.on_onnxruntime import load_cpu
from models.engine.store import Built, Recipe, Store
from models.engine.weights import Weights, find_weights

WEIGHTS = find_weights("lite")


class Machine:
    """Stands in for library, driver and GPU, which are the boundary here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.builds = 0
        self.capability, self.version = "sm89", "1.7"
        self.engine: Engine | Exception = load_cpu(WEIGHTS, quantised=False)
        self.build_error: Exception | None = None
        monkeypatch.setattr(compiled, "Device", lambda: self)
        monkeypatch.setattr(compiled, "Builder", self.builder)
        monkeypatch.setattr(compiled, "TensorRtEngine", self.load)
        self.name = "NVIDIA RTX 4090"

    def builder(self, flavour: Flavour) -> Machine:
        self.flavour = flavour
        return self

    def capabilities(self) -> list[str]:
        return ["sm86", "sm89"] if self.flavour.portable else []

    def recipe(self, weights: Weights, gpu: str, batch: int) -> Recipe:
        return Recipe(self.flavour.engine, self.version, gpu, weights.digest, batch, "")

    def build(self, weights: Weights, capabilities: Sequence[str], *_: object) -> Built:
        self.builds += 1
        assert list(capabilities) == ([self.capability] if self.flavour.portable else [])
        if self.build_error:
            raise self.build_error
        return Built(b"e", b"g")

    def load(self, *_: object) -> Engine:
        if isinstance(self.engine, Exception):
            raise self.engine
        return self.engine


class Wrong(Engine):
    """Makes pictures of the wrong colour."""

    def __init__(self) -> None:
        self._right = load_cpu(WEIGHTS, quantised=False)

    @property
    def name(self) -> str:
        return "wrong"

    def encode(self, layers: Floats, face: Floats) -> Reference:
        return self._right.encode(layers, face)

    def generate(self, reference: Reference, faces: Floats, displacement: Floats) -> Floats:
        return self._right.generate(reference, faces, displacement) * np.float32(0.9)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("flavour", [TENSORRT, TENSORRT_RTX])
def test_an_engine_is_built_and_checked_once(
    machine: Machine, tmp_path: Path, flavour: Flavour
) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        assert load_compiled(flavour, WEIGHTS, store=store) is machine.engine
    assert machine.builds == 1
    built = store.load(machine.recipe(WEIGHTS, "NVIDIA RTX 4090 sm89", 1))
    assert built is not None
    assert built.agreement_db is not None
    assert built.agreement_db > 100


def test_a_new_library_or_another_gpu_builds_anew(machine: Machine, tmp_path: Path) -> None:
    store = Store(tmp_path)
    load_compiled(TENSORRT_RTX, WEIGHTS, store=store)
    machine.version = "1.8"
    load_compiled(TENSORRT_RTX, WEIGHTS, store=store)
    machine.name, machine.capability = "NVIDIA RTX 3090", "sm86"
    load_compiled(TENSORRT_RTX, WEIGHTS, store=store)
    load_compiled(TENSORRT_RTX, WEIGHTS, batch=4, store=store)
    assert machine.builds == 4


def test_wrong_pictures_are_refused_and_remembered(machine: Machine, tmp_path: Path) -> None:
    machine.engine = Wrong()
    for _ in range(2):
        with pytest.raises(EngineUnavailableError, match=r"differ .*: \d\d\.\d dB, 45 are needed"):
            load_compiled(TENSORRT_RTX, WEIGHTS, store=Store(tmp_path))
    assert machine.builds == 1


def test_a_failing_build_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.build_error = EngineUnavailableError("building failed (out of memory)")
    with pytest.raises(EngineUnavailableError, match="out of memory"):
        load_compiled(TENSORRT, WEIGHTS, store=Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_fails_on_the_gpu_is_forgotten(machine: Machine, tmp_path: Path) -> None:
    machine.engine = CudaError("cuGraphLaunch: CUDA_ERROR_LAUNCH_FAILED")
    with pytest.raises(EngineUnavailableError, match="fails on the GPU"):
        load_compiled(TENSORRT, WEIGHTS, store=Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_unsupported_gpu_is_told_without_building(machine: Machine, tmp_path: Path) -> None:
    machine.name, machine.capability = "NVIDIA H100", "sm90"
    with pytest.raises(EngineUnavailableError, match="does not support the NVIDIA H100"):
        load_compiled(TENSORRT_RTX, WEIGHTS, store=Store(tmp_path))
    assert machine.builds == 0


def test_what_was_built_without_a_gpu_is_checked_on_one(machine: Machine, tmp_path: Path) -> None:
    store = Store(tmp_path)
    machine.flavour = TENSORRT_RTX
    store.save(machine.recipe(WEIGHTS, "sm86 sm89", 1), Built(b"e", b"g"))
    assert load_compiled(TENSORRT_RTX, WEIGHTS, store=store) is machine.engine
    assert machine.builds == 0
    checked = store.load(machine.recipe(WEIGHTS, "NVIDIA RTX 4090 sm89", 1))
    assert checked is not None
    assert checked.agreement_db is not None


def test_arrays_of_an_engine_have_the_shapes_it_takes() -> None:
    faces, displacement = load_cpu(WEIGHTS).inputs()
    assert (faces.shape, displacement.shape) == (FACES, DISPLACEMENT)
