"""PyTorch: for those who train and have it anyway; as CUDA graphs where there is a GPU.

The weights are the shipped ones, read from the ONNX files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.engine.interface import (
    BatchEngine,
    Engine,
    EngineUnavailableError,
    Floats,
    Reference,
)
from models.engine.weights import Weights

_PREFIX = "network."


class TorchEngine(BatchEngine):
    """The network itself, in eager mode or as a CUDA graph."""

    def __init__(self, network: Any, torch: Any, batch: int = 1) -> None:
        self._torch, self._network, self.batch = torch, network, batch
        self._device = next(network.parameters()).device
        self._rows: list[Reference] = []
        self._graph: Any = None
        self._static: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        where = "CUDA graphs" if self._device.type == "cuda" else "CPU"
        return f"torch {self._torch.__version__} ({where})"

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use."""
        with self._torch.inference_mode():
            given = self._tensor(layers)
            features = self._network.encode(given, self._tensor(face))
        return Reference(layers, {"reference": given, **features._asdict()})

    def generate_batch(
        self,
        references: Sequence[Reference],
        faces: Floats,
        displacements: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the pictures of several callers from one launch."""
        torch = self._torch
        with torch.inference_mode():
            given = {"faces": self._tensor(faces), "displacement": self._tensor(displacements)}
            if length := self._network.preset.audio:
                silent = np.zeros((len(references), length), np.float32)
                sound = silent if audio is None else audio.reshape(silent.shape)
                given["audio"] = self._tensor(sound)
            same = len(references) == len(self._rows) and all(
                one is other for one, other in zip(references, self._rows, strict=True)
            )
            if not same:
                given |= {
                    name: torch.cat([one.features[name] for one in references])
                    for name in references[0].features
                }
            if self._device.type == "cuda":
                image = self._run_graph(given)
            else:
                self._static |= given
                image = self._forward()
            self._rows = list(references)
            result: Floats = image.float().cpu().numpy()
        return result

    def _forward(self) -> Any:
        from models.headgan import ReferenceFeatures

        static = self._static
        features = ReferenceFeatures(*(static[name] for name in ReferenceFeatures._fields))
        return self._network(
            static["faces"],
            static["displacement"],
            static["reference"],
            features,
            static.get("audio"),
        ).image

    def _run_graph(self, given: dict[str, Any]) -> Any:
        """Run as a CUDA graph; one of `batch` rows serves fewer callers too, other rows idle."""
        torch = self._torch
        count = len(given["faces"])
        if self._graph is None or len(self._static["faces"]) < count:
            rows = [row % count for row in range(max(self.batch, count))]
            self._static |= {name: value[rows] for name, value in given.items()}
            self._forward()  # chooses kernels, which must not happen while recording
            torch.cuda.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._image = self._forward()
        for name, value in given.items():
            self._static[name][:count].copy_(value)
        self._graph.replay()
        return self._image[:count]

    def _tensor(self, array: Floats) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def load(weights: Weights, batch: int = 1) -> Engine:
    """Return the network on the GPU where there is one, else on the CPU.

    Raises:
        EngineUnavailableError: torch or onnx are not installed.
    """
    try:
        import onnx
        import torch
        from onnx import numpy_helper
    except ImportError as error:
        raise EngineUnavailableError(
            f"the package {error.name} is not installed (pip install 'headcall[train]')"
        ) from error
    from models.headgan import HeadGan
    from models.presets import preset

    state = {}
    for path in (weights.encoder, weights.generator):
        for constant in onnx.load(path).graph.initializer:
            if constant.name.startswith(_PREFIX):
                value = torch.from_numpy(numpy_helper.to_array(constant).copy())
                state[constant.name.removeprefix(_PREFIX)] = value
    network = HeadGan(preset(weights.preset)).eval()
    network.load_state_dict(state)
    return TorchEngine(network.to("cuda" if torch.cuda.is_available() else "cpu"), torch, batch)
