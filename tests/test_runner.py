"""What runs compiled engines: rows, references and batches, on a GPU that is made of host memory.

TensorRT and the driver are the boundary: ONNX Runtime computes, ctypes copies. That a real GPU does
the same is checked when an engine is first loaded on one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from models.engine.cuda import CudaError
from models.engine.interface import Floats
from models.engine.mixed import read_model, set_batch
from models.engine.on_onnxruntime import load_cpu
from models.engine.runner import TensorRtEngine
from models.engine.sample import Sample, read_sample
from models.engine.store import Built
from models.engine.weights import Weights, find_weights

WEIGHTS = find_weights("lite")
BATCH = 2


class HostDevice:
    """Memory of the host in the place of a GPU's."""

    name, stream = "host", 7

    def __init__(self) -> None:
        self.memory: dict[int, Any] = {}
        self.moves = 0
        self.launches = 0
        self.recordable = True

    def enter(self) -> None:
        pass

    wait = enter

    def allocate(self, shape: tuple[int, ...]) -> int:
        block = (ctypes.c_float * prod(shape))()
        self.memory[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def free(self, address: int) -> None:
        del self.memory[address]

    def pinned(self, shape: tuple[int, ...]) -> Floats:
        return np.zeros(shape, np.float32)

    def send(self, array: Floats, address: int) -> None:
        whole = np.ascontiguousarray(array)
        ctypes.memmove(address, whole.ctypes.data, whole.nbytes)

    def fetch(self, address: int, array: Floats) -> None:
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def move(self, source: int, target: int, size: int) -> None:
        self.moves += 1
        ctypes.memmove(target, source, 4 * size)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        if not self.recordable:
            raise CudaError("cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")

        def launch() -> None:
            self.launches += 1
            work()

        return launch


class Network:
    """An ONNX file behind TensorRT's names."""

    def __init__(self, plan: bytes) -> None:
        self._session = ort.InferenceSession(plan, providers=["CPUExecutionProvider"])
        entries = (*self._session.get_inputs(), *self._session.get_outputs())
        self._shapes = {entry.name: tuple(entry.shape) for entry in entries}
        self._given = [entry.name for entry in self._session.get_inputs()]
        self._addresses: dict[str, int] = {}
        self.num_io_tensors = len(self._shapes)

    def create_execution_context(self) -> Network:
        return self

    def get_tensor_name(self, number: int) -> str:
        return list(self._shapes)[number]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name in self._given else "out"

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def _array(self, name: str) -> Floats:
        shape = self._shapes[name]
        block = (ctypes.c_float * prod(shape)).from_address(self._addresses[name])
        return np.ctypeslib.as_array(block).reshape(shape)

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == HostDevice.stream
        results = self._session.run(None, {name: self._array(name) for name in self._given})
        for entry, value in zip(self._session.get_outputs(), results, strict=True):
            self._array(entry.name)[:] = value
        return True


@pytest.fixture(scope="module")
def sample() -> Sample:
    return read_sample(frames=3)


@pytest.fixture
def device() -> HostDevice:
    return HostDevice()


def made(weights: Weights, device: HostDevice) -> TensorRtEngine:
    """Return an engine on the host's memory that was built for BATCH callers."""
    model = read_model(weights.generator)
    set_batch(model, BATCH)
    runtime = SimpleNamespace(deserialize_cuda_engine=Network)
    library = SimpleNamespace(
        Runtime=lambda _: runtime, TensorIOMode=SimpleNamespace(OUTPUT="out"), __version__="1"
    )
    flavour = SimpleNamespace(engine="tensorrt-rtx")
    builder: Any = SimpleNamespace(library=library, flavour=flavour, logger=None, complaints=[])
    host: Any = device
    built = Built(weights.encoder.read_bytes(), model.SerializeToString())
    return TensorRtEngine(builder, host, built, BATCH)


@pytest.fixture
def engine(device: HostDevice) -> TensorRtEngine:
    return made(WEIGHTS, device)


def test_callers_that_share_a_launch_get_their_own_pictures(
    engine: TensorRtEngine, device: HostDevice, sample: Sample
) -> None:
    trusted = load_cpu(WEIGHTS, quantised=False)
    pictures = [sample.layers, -sample.layers, sample.layers[..., ::-1].copy()]
    ours, theirs = (
        [one.encode(layers, sample.face) for layers in pictures] for one in (engine, trusted)
    )
    # Three callers, two a launch: the second launch has an empty row.
    together = engine.generate_batch(ours, sample.faces, sample.displacements)
    apart = trusted.generate_batch(theirs, sample.faces, sample.displacements)
    np.testing.assert_allclose(together, apart, atol=1e-4)
    assert device.launches == 1  # the first launch is not yet a graph


def test_a_reference_is_copied_once_and_a_new_one_is_shown_at_once(
    engine: TensorRtEngine, device: HostDevice, sample: Sample
) -> None:
    geometry = sample.faces[:1], sample.displacements[:1]
    first, second = (
        engine.encode(layers, sample.face) for layers in (sample.layers, -sample.layers)
    )
    before = engine.generate(first, *geometry)
    moves = device.moves
    np.testing.assert_array_equal(engine.generate(first, *geometry), before)
    assert device.moves == moves
    assert np.abs(engine.generate(second, *geometry) - before).max() > 0.1
    assert device.moves == 2 * moves
    np.testing.assert_array_equal(engine.generate(first, *geometry), before)


def test_memory_of_a_reference_is_given_back(
    engine: TensorRtEngine, device: HostDevice, sample: Sample
) -> None:
    held = len(device.memory)
    reference = engine.encode(sample.layers, sample.face)
    assert len(device.memory) > held
    del reference
    assert len(device.memory) == held


def test_without_graphs_it_still_runs(
    engine: TensorRtEngine, device: HostDevice, sample: Sample
) -> None:
    device.recordable = False
    reference = engine.encode(sample.layers, sample.face)
    pictures = [
        engine.generate(reference, sample.faces[:1], sample.displacements[:1]) for _ in range(2)
    ]
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_arrays_for_a_frame_stay_good_for_three_more(engine: TensorRtEngine) -> None:
    given = [engine.inputs()[0] for _ in range(5)]
    assert not any(np.shares_memory(given[0], other) for other in given[1:4])
    assert np.shares_memory(given[0], given[4])
