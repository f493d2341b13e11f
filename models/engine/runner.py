"""Running what either TensorRT built: everything stays on the GPU but the picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from models.engine.builder import Builder
from models.engine.cuda import CudaError, Device
from models.engine.interface import (
    AUDIO_INPUT,
    FACE,
    IMAGE,
    LAYERS,
    BatchEngine,
    EngineUnavailableError,
    Floats,
    Reference,
    input_ring,
)
from models.engine.store import Built

log = logging.getLogger(__name__)


class Features:
    """A reference's features on the GPU, given back with it."""

    def __init__(self, device: Device, shapes: dict[str, tuple[int, ...]]) -> None:
        self._device = device
        self.sizes = {name: prod(shape) for name, shape in shapes.items()}
        self.addresses = {name: device.allocate(shape) for name, shape in shapes.items()}

    def __del__(self) -> None:
        # At the process's end the driver may already be gone, and its memory with it.
        try:
            self._device.enter()
            for address in self.addresses.values():
                self._device.free(address)
        except Exception:
            log.debug("features were not given back", exc_info=True)


class TensorRtEngine(BatchEngine):
    """Both networks in TensorRT or TensorRT for RTX."""

    def __init__(self, builder: Builder, device: Device, built: Built, batch: int = 1) -> None:
        """Load a built engine.

        Raises:
            EngineUnavailableError: it does not load on this GPU.
        """
        self._device, self.batch = device, batch
        self._title = f"{builder.flavour.engine} {builder.library.__version__} ({device.name})"
        self._runtime = builder.library.Runtime(builder.logger)
        self._encoder = _Network(self._runtime, builder, built.encoder)
        self._generator = _Network(self._runtime, builder, built.generator)
        self._buffers = {
            name: device.allocate(shape) for name, shape in self._generator.shapes.items()
        }
        # Which reference lies in each row of the generator's inputs.
        self._rows: list[Reference | None] = [None] * batch
        self._pinned = input_ring(device.pinned)
        self._image = device.pinned((batch, *IMAGE[1:]))
        self._launch: Callable[[], None] | None = None
        self._generator.bind(self._buffers)

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return self._title

    def inputs(self) -> tuple[Floats, Floats]:
        """Return arrays that the GPU reads without a further copy by the processor."""
        return next(self._pinned)

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use; its features stay on the GPU."""
        device = self._device
        device.enter()
        shapes = {name: self._encoder.shapes[name] for name in self._encoder.outputs}
        features = Features(device, {"reference": LAYERS, **shapes})
        face_at = device.allocate(FACE)
        device.send(layers, features.addresses["reference"])
        device.send(face, face_at)
        self._encoder.bind({"face": face_at, **features.addresses})
        self._encoder.run(device.stream)
        device.wait()
        device.free(face_at)
        return Reference(layers, {"device": features})

    def generate_batch(
        self,
        references: Sequence[Reference],
        faces: Floats,
        displacements: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the pictures of several callers, as many a launch as the engine was built for."""
        self._device.enter()
        parts = []
        for start in range(0, len(references), self.batch):
            end = min(start + self.batch, len(references))
            self._place(references[start:end])
            self._device.send(faces[start:end], self._buffers["faces"])
            self._device.send(displacements[start:end], self._buffers["displacement"])
            self._hear(None if audio is None else audio.reshape(len(references), -1)[start:end])
            self._run()
            self._device.fetch(self._buffers["image"], self._image)
            self._device.wait()
            parts.append(self._image[: end - start].copy())
        return np.concatenate(parts)

    def _hear(self, audio: Floats | None) -> None:
        """Copy audio features to where a generator that hears takes them; None is silence."""
        if AUDIO_INPUT not in self._buffers:
            return
        # Kept: it is read from until the GPU is waited for.
        self._heard = np.zeros(self._generator.shapes[AUDIO_INPUT], np.float32)
        if audio is not None:
            self._heard[: len(audio)] = audio
        self._device.send(self._heard, self._buffers[AUDIO_INPUT])

    def _place(self, references: Sequence[Reference]) -> None:
        """Copy references into the generator's inputs, where another one lies there."""
        for row, reference in enumerate(references):
            if self._rows[row] is reference:
                continue
            features: Features = reference.features["device"]
            for name, source in features.addresses.items():
                if name in self._buffers:
                    size = features.sizes[name]
                    target = self._buffers[name] + 4 * size * row
                    self._device.move(source, target, size)
            self._rows[row] = reference

    def _run(self) -> None:
        """Queue the generator: the first time as it is, which compiles; then as a graph."""
        if self._launch is not None:
            self._launch()
            return
        self._generator.run(self._device.stream)
        self._device.wait()
        try:
            self._launch = self._device.record(lambda: self._generator.run(self._device.stream))
        except (CudaError, RuntimeError) as error:
            log.warning("the generator runs without CUDA graphs (%s)", error)
            self._launch = lambda: self._generator.run(self._device.stream)


class _Network:
    """One deserialised network."""

    def __init__(self, runtime: Any, builder: Builder, plan: bytes) -> None:
        builder.complaints.clear()
        engine = runtime.deserialize_cuda_engine(plan)
        context = engine.create_execution_context() if engine is not None else None
        if context is None:
            said = builder.complaints[0] if builder.complaints else "it does not say why"
            raise EngineUnavailableError(f"the built engine does not load ({said})")
        self._engine, self._context = engine, context
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        output = builder.library.TensorIOMode.OUTPUT
        self.shapes = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        self.outputs = [name for name in names if engine.get_tensor_mode(name) == output]

    def bind(self, addresses: dict[str, int]) -> None:
        """Say where inputs and outputs lie."""
        for name in self.shapes:
            self._context.set_tensor_address(name, addresses[name])

    def run(self, stream: int) -> None:
        """Queue the network on a stream."""
        if not self._context.execute_async_v3(stream):
            raise CudaError("TensorRT could not queue the network")
