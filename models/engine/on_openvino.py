"""OpenVINO: the quickest on a CPU.

It compiles a network for the processor at hand: 8-bit products where that has VNNI
(`models.quantise` says which), BF16 for the rest where it has that, FP32 elsewhere.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

from models.engine.interface import (
    ENCODER_INPUTS,
    GENERATOR_INPUTS,
    Engine,
    EngineUnavailableError,
    Floats,
    Reference,
    first_line,
)
from models.engine.processors import multiplies_bytes, processors, share_out
from models.engine.signature import Signature, check_signature, inputs_of, silence_for
from models.engine.weights import Weights
from shared.errors import BadInputError


class OpenVinoEngine(Engine):
    """Both networks on the CPU."""

    def __init__(self, encoder: Path, generator: Path) -> None:
        core = open_core()
        self.lanes, threads = share_out(processors())
        half = computes_bf16(core)
        # The encoder runs once a call and its features are kept: they are worth FP32.
        self._encoder = _compile(core, encoder, half=False, lanes=1, threads=threads)
        self._features = [output.get_any_name() for output in self._encoder.outputs]
        check_signature(encoder, _signature(self._encoder), ENCODER_INPUTS)
        compiled = _compile(core, generator, half, self.lanes, threads)
        taken = _signature(compiled)
        self._silence = silence_for(taken)
        expected = GENERATOR_INPUTS + self._features + list(self._silence)
        check_signature(generator, taken, expected)
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.lanes):
            self._requests.put(compiled.create_infer_request())
        self._precision = "BF16" if half else "FP32"

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return f"openvino (CPU, {self._precision})"

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use."""
        request = self._encoder.create_infer_request()
        request.infer(dict(zip(ENCODER_INPUTS, (layers, face), strict=True)))
        features = {name: request.get_tensor(name).data.copy() for name in self._features}
        return Reference(layers, features)

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1]."""
        inputs = inputs_of(reference, faces, displacement, self._silence, audio)
        request = self._requests.get()
        try:
            request.infer(inputs, share_inputs=True)
            image: Floats = request.get_output_tensor().data.copy()
        finally:
            self._requests.put(request)
        return image


def load(weights: Weights, batch: int = 1, quantised: bool | None = None) -> Engine:
    """Return the engine.

    Args:
        weights: the files.
        batch: callers that share a launch; every batch is run one by one.
        quantised: whether to run the 8-bit generator; default: where it fits and is quicker.

    Raises:
        BadInputError: the weights cannot be read.
        EngineUnavailableError: OpenVINO is not installed or does not work here.
    """
    del batch
    generator = weights.on_cpu(multiplies_bytes() if quantised is None else quantised)
    return OpenVinoEngine(weights.encoder, generator)


def open_core() -> Any:
    """Return OpenVINO's core.

    Raises:
        EngineUnavailableError: it is not installed or does not start.
    """
    # It tells its maker of every import, unless the package that does so is missing.
    cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)
    try:
        return importlib.import_module("openvino").Core()
    except ModuleNotFoundError as error:
        raise EngineUnavailableError("the package openvino is not installed") from error
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineUnavailableError(f"openvino does not start ({first_line(error)})") from error


def computes_bf16(core: Any) -> bool:
    """Return whether the processor has instructions for BF16."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compile(core: Any, path: Path, half: bool, lanes: int, threads: int) -> Any:
    """Read and compile a network.

    Args:
        core: OpenVINO's.
        path: of the network.
        half: whether what is not in 8 bits is computed in BF16.
        lanes: runs at the same time.
        threads: of each of them.

    Raises:
        BadInputError: it cannot be read.
        EngineUnavailableError: it does not compile for this processor.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        "NUM_STREAMS": lanes,
        "INFERENCE_NUM_THREADS": lanes * threads,
        "ENABLE_CPU_PINNING": False,  # tracker and video encoder run beside it
    }
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise BadInputError(f"{path} cannot be read as a network") from error
    try:
        return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise EngineUnavailableError(f"it does not compile ({first_line(error)})") from error


def _signature(compiled: Any) -> Signature:
    return {entry.get_any_name(): tuple(entry.shape) for entry in compiled.inputs}
