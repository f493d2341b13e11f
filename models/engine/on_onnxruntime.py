"""ONNX Runtime: on an NVIDIA GPU where its CUDA build is installed, else on the CPU.

On the CPU OpenVINO is quicker; this is what its pictures, and those of every engine, are compared
with.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from models.engine.interface import (
    DISPLACEMENT,
    ENCODER_INPUTS,
    FACES,
    GENERATOR_INPUTS,
    IMAGE,
    Engine,
    EngineUnavailableError,
    Floats,
    Reference,
    first_line,
)
from models.engine.processors import multiplies_bytes, processors, share_out
from models.engine.signature import (
    Signature,
    check_signature,
    heard,
    inputs_of,
    silence_for,
)
from models.engine.weights import Weights
from shared.errors import BadInputError

log = logging.getLogger(__name__)


class CpuEngine(Engine):
    """Both networks on the CPU."""

    def __init__(self, encoder: Path, generator: Path) -> None:
        self._encoder = open_session(encoder)
        self.lanes, threads = share_out(processors())
        self._generator = open_session(generator, threads=threads)
        outputs = [output.name for output in self._encoder.get_outputs()]
        check_signature(encoder, _signature(self._encoder), ENCODER_INPUTS)
        taken = _signature(self._generator)
        #: What the generator is given besides, where it hears: silence.
        self.silence = silence_for(taken)
        check_signature(generator, taken, GENERATOR_INPUTS + outputs + list(self.silence))
        self._features = outputs

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return "onnxruntime (CPU)"

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use."""
        inputs = dict(zip(ENCODER_INPUTS, (layers, face), strict=True))
        outputs: Sequence[Floats] = self._encoder.run(self._features, inputs)
        return Reference(layers, dict(zip(self._features, outputs, strict=True)))

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1]."""
        inputs = inputs_of(reference, faces, displacement, self.silence, audio)
        image: Floats = self._generator.run(["image"], inputs)[0]
        return image


class CudaEngine(Engine):
    """Both networks on a GPU; a reference and its features stay there."""

    def __init__(self, weights: Weights) -> None:
        self._encoder = open_session(weights.encoder, cuda=True)
        self._generator = open_session(weights.generator, cuda=True)
        self._features = [output.name for output in self._encoder.get_outputs()]
        self._given = {
            name: ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, "cuda", 0)
            for name, shape in (("faces", FACES), ("displacement", DISPLACEMENT))
        }
        self._silence = silence_for(_signature(self._generator))
        for name, value in self._silence.items():
            self._given[name] = ort.OrtValue.ortvalue_from_numpy(value, "cuda", 0)
        self._image = ort.OrtValue.ortvalue_from_shape_and_type(IMAGE, np.float32, "cuda", 0)
        self._bindings: dict[int, tuple[Reference, Any]] = {}

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return "onnxruntime (CUDA)"

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use."""
        binding = self._encoder.io_binding()
        kept = {"reference": ort.OrtValue.ortvalue_from_numpy(layers, "cuda", 0)}
        binding.bind_ortvalue_input("reference", kept["reference"])
        binding.bind_ortvalue_input("face", ort.OrtValue.ortvalue_from_numpy(face, "cuda", 0))
        for name in self._features:
            binding.bind_output(name, "cuda", 0)
        self._encoder.run_with_iobinding(binding)
        kept |= dict(zip(self._features, binding.get_outputs(), strict=True))
        return Reference(layers, kept)

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1]."""
        self._given["faces"].update_inplace(faces)
        self._given["displacement"].update_inplace(displacement)
        for name, value in heard(self._silence, audio).items():
            self._given[name].update_inplace(value)
        self._generator.run_with_iobinding(self._bound_to(reference))
        image: Floats = self._image.numpy()
        return image

    def _bound_to(self, reference: Reference) -> Any:
        kept = self._bindings.get(id(reference))
        if kept is None:
            binding = self._generator.io_binding()
            for name, value in (self._given | reference.features).items():
                binding.bind_ortvalue_input(name, value)
            binding.bind_ortvalue_output("image", self._image)
            # One caller has one reference: that of before is let go of.
            self._bindings = {id(reference): (reference, binding)}
            return binding
        return kept[1]


def load(weights: Weights, batch: int = 1) -> Engine:
    """Return the faster of what ONNX Runtime has here.

    Raises:
        BadInputError: the weights cannot be read.
    """
    try:
        return load_cuda(weights, batch)
    except EngineUnavailableError as error:
        # Who has installed the build for GPUs wants to know.
        level = logging.WARNING if _has_cuda() else logging.DEBUG
        log.log(level, "onnxruntime runs on the CPU: %s", error)
    return load_cpu(weights)


def load_cuda(weights: Weights, batch: int = 1) -> Engine:
    """Return the engine for an NVIDIA GPU.

    Raises:
        BadInputError: the weights cannot be read.
        EngineUnavailableError: there is none that works here.
    """
    del batch  # every batch is run one by one
    if not _has_cuda():
        raise EngineUnavailableError("the package onnxruntime-gpu is not installed")
    try:
        return CudaEngine(weights)
    except RuntimeError as error:
        raise EngineUnavailableError(f"CUDA cannot be used ({first_line(error)})") from error


def _has_cuda() -> bool:
    return "CUDAExecutionProvider" in ort.get_available_providers()


def load_cpu(weights: Weights, quantised: bool | None = None) -> CpuEngine:
    """Return the engine for the CPU.

    Args:
        weights: the files.
        quantised: whether to run the 8-bit generator; default: where it fits and is quicker.
    """
    generator = weights.on_cpu(multiplies_bytes() if quantised is None else quantised)
    return CpuEngine(weights.encoder, generator)


def open_session(path: Path, cuda: bool = False, threads: int = 0) -> ort.InferenceSession:
    """Open a network.

    Args:
        path: of the network.
        cuda: whether to run it on a GPU.
        threads: that one run uses; 0 for as many as there are processors.

    Raises:
        BadInputError: it cannot be read.
        EngineUnavailableError: CUDA was asked for and does not start.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Spinning threads would take the cores that tracker and video encoder need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Small shares of work: a thread that lost its core for a while holds the others up less.
    options.add_session_config_entry("session.dynamic_block_base", "4")
    providers = ["CUDAExecutionProvider"] * cuda + ["CPUExecutionProvider"]
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile) as error:
        raise BadInputError(f"{path} cannot be read as a network: {error}") from error
    if cuda and "CUDAExecutionProvider" not in session.get_providers():
        raise EngineUnavailableError("its CUDA libraries do not load")
    return session


def _signature(session: ort.InferenceSession) -> Signature:
    return {entry.name: tuple(entry.shape) for entry in session.get_inputs()}
