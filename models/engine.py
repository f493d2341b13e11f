"""What runs the generator during a call: ONNX Runtime on the CPU.

The interface is small on purpose: other engines (TensorRT, TensorRT for RTX) come behind it. The
running call needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from shared.errors import BadInputError
from shared.layers import LAYER_CHANNELS

Floats = npt.NDArray[np.float32]

ENGINES = ("auto", "onnxruntime")
ENCODER_INPUTS = ["reference", "face"]
GENERATOR_INPUTS = ["faces", "displacement", "reference"]  # then the encoder's outputs
LAYERS = (1, LAYER_CHANNELS, 256, 256)
FACE = (1, 3, 256, 256)
FACES = (1, 9, 256, 256)
DISPLACEMENT = (1, 2, 256, 256)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference picture and its features, computed once a call.

    Attributes:
        layers: of the picture, (1, 7, 256, 256), float32, in [-1, 1].
        features: the encoder's outputs by the names the generator takes them under.
    """

    layers: Floats
    features: dict[str, Floats]


class Engine:
    """The exported reference encoder and generator of one preset."""

    def __init__(self, encoder: Path, generator: Path) -> None:
        self._encoder = _session(encoder)
        self._generator = _session(generator)
        outputs = [output.name for output in self._encoder.get_outputs()]
        _expect(encoder, self._encoder, ENCODER_INPUTS)
        _expect(generator, self._generator, GENERATOR_INPUTS + outputs)
        self._features = outputs

    @classmethod
    def load(cls, preset: str = "lite", engine: str = "auto", folder: Path | None = None) -> Self:
        """Return the engine of a preset, from the shipped weights by default.

        Raises:
            BadInputError: no such engine, or no (whole) weights of that preset.
        """
        if engine not in ENGINES:
            raise BadInputError(f"there is no engine {engine!r}: use one of {', '.join(ENGINES)}")
        folder = folder or Path(str(resources.files("models") / "weights"))
        paths = [folder / f"{preset}-{part}.onnx" for part in ("encoder", "generator")]
        if not all(path.is_file() for path in paths):
            raise BadInputError(
                f"there are no weights for the preset {preset!r}: use one of "
                f"{', '.join(shipped(folder)) or 'none (train one first)'}"
            )
        return cls(*paths)

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return "onnxruntime (CPU)"

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use.

        Args:
            layers: the picture, the person and the backdrop (`shared.layers`),
                (1, 7, 256, 256), in [-1, 1].
            face: its face image, (1, 3, 256, 256), in [0, 1].
        """
        inputs = dict(zip(ENCODER_INPUTS, (layers, face), strict=True))
        outputs: Sequence[Floats] = self._encoder.run(self._features, inputs)
        return Reference(layers, dict(zip(self._features, outputs, strict=True)))

    def generate(self, reference: Reference, faces: Floats, displacement: Floats) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1].

        Args:
            reference: what `encode` returned.
            faces: driving face images, current first and two past, (1, 9, 256, 256).
            displacement: mesh displacement, (1, 2, 256, 256), picture sides.
        """
        inputs = {
            "faces": faces,
            "displacement": displacement,
            "reference": reference.layers,
            **reference.features,
        }
        image: Floats = self._generator.run(["image"], inputs)[0]
        return image


def shipped(folder: Path) -> list[str]:
    """Return the presets that a folder holds weights of."""
    return sorted(
        path.name.removesuffix("-generator.onnx") for path in folder.glob("*-generator.onnx")
    )


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Spinning threads would take the cores that tracker and video encoder need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Small shares of work: a thread that lost its core for a while holds the others up less.
    options.add_session_config_entry("session.dynamic_block_base", "4")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile) as error:
        raise BadInputError(f"{path} cannot be read as a network: {error}") from error


def _expect(path: Path, session: ort.InferenceSession, names: list[str]) -> None:
    found = {entry.name: tuple(entry.shape) for entry in session.get_inputs()}
    # Networks from before the layers take the same names, and three channels.
    if found.keys() != set(names) or found["reference"] != LAYERS:
        raise BadInputError(
            f"{path} takes {found}, not {names} with a reference of {LAYERS}: it was exported by "
            "another version; export it again with `python -m models.export`"
        )
