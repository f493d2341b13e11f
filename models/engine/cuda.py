"""The little of CUDA that an engine needs: memory, one stream, graphs. Needs no torch.

`cuda.bindings` (NVIDIA's own) talks to the driver; nothing else of CUDA has to be installed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from models.engine.interface import EngineUnavailableError, Floats

_FLOAT_BYTES = 4


class CudaError(RuntimeError):
    """A call of the driver failed."""


class Device:
    """The first GPU: its name, its memory, a stream."""

    def __init__(self) -> None:
        """Take the GPU.

        Raises:
            EngineUnavailableError: there is no driver, no GPU or no `cuda-bindings`.
        """
        try:
            from cuda.bindings import driver
        except ImportError as error:
            raise EngineUnavailableError("the package cuda-bindings is not installed") from error
        self._driver: Any = driver
        try:
            self._call("cuInit", 0)
            device = self._call("cuDeviceGet", 0)
            self._context = self._call("cuDevicePrimaryCtxRetain", device)
        # Its own errors for a missing driver are RuntimeErrors, and so are ours.
        except RuntimeError as error:
            said = str(error) if isinstance(error, CudaError) else "no driver is installed"
            raise EngineUnavailableError(f"there is no usable NVIDIA GPU here ({said})") from error
        self._call("cuCtxSetCurrent", self._context)
        name = self._call("cuDeviceGetName", 256, device)
        self.name = bytes(name).split(b"\0")[0].decode("ascii", "replace")
        attribute = driver.CUdevice_attribute
        major = self._call(
            "cuDeviceGetAttribute",
            attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            device,
        )
        minor = self._call(
            "cuDeviceGetAttribute",
            attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            device,
        )
        self.capability = f"sm{major}{minor}"
        self._stream = self._call("cuStreamCreate", 1)  # not tied to the default stream

    @property
    def stream(self) -> int:
        """The stream everything runs on, as TensorRT takes it."""
        return int(self._stream)

    def enter(self) -> None:
        """Make the GPU this thread's: engines are made on one thread and used on another."""
        self._call("cuCtxSetCurrent", self._context)

    def allocate(self, shape: tuple[int, ...]) -> int:
        """Return the address of float32 memory on the GPU; `free` gives it back."""
        return int(self._call("cuMemAlloc", _FLOAT_BYTES * prod(shape)))

    def free(self, address: int) -> None:
        """Give memory back."""
        self._call("cuMemFree", address)

    def pinned(self, shape: tuple[int, ...]) -> Floats:
        """Return an array that the GPU reads and writes without a copy by the processor."""
        count = prod(shape)
        address = int(self._call("cuMemHostAlloc", _FLOAT_BYTES * count, 0))
        memory = (ctypes.c_float * count).from_address(address)
        return np.ctypeslib.as_array(memory).reshape(shape)

    def send(self, array: Floats, address: int) -> None:
        """Queue a copy to the GPU; the array must stay as it is until `wait`."""
        whole = np.ascontiguousarray(array, np.float32)
        self._call("cuMemcpyHtoDAsync", address, whole.ctypes.data, whole.nbytes, self._stream)

    def fetch(self, address: int, array: Floats) -> None:
        """Queue a copy from the GPU."""
        self._call("cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, self._stream)

    def move(self, source: int, target: int, size: int) -> None:
        """Queue a copy of `size` floats within the GPU."""
        self._call("cuMemcpyDtoDAsync", target, source, _FLOAT_BYTES * size, self._stream)

    def wait(self) -> None:
        """Wait for everything that is queued."""
        self._call("cuStreamSynchronize", self._stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what repeats queued work as one launch (a CUDA graph).

        Raises:
            CudaError: the work cannot be recorded.
        """
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", self._stream, mode)
        try:
            work()
        finally:
            graph = self._call("cuStreamEndCapture", self._stream)
        ready = self._call("cuGraphInstantiate", graph, 0)
        return lambda: self._call("cuGraphLaunch", ready, self._stream)

    def _call(self, name: str, *arguments: Any) -> Any:
        status, *results = getattr(self._driver, name)(*arguments)
        if int(status) != 0:
            raise CudaError(f"{name}: {status.name}")
        return results[0] if results else None
