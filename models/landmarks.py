"""FaceMesh with a gradient: a rebuilt face should be found where the real one is.

Where a face looks and what it does is told by small things, a shaded nostril or the rim of a lip,
that weigh little among all pixels. So training asks the tracker itself: MediaPipe's FaceMesh, read
from its package by OpenVINO and computed by PyTorch, finds the 468 points in both pictures, and
their distance is a loss. Both pictures are shaken a little, alike, before it looks, so that the
generator cannot please it with noise in single pixels.

A tool of training, never of the call. Its weights are MediaPipe's (Apache 2.0) and stay there.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models.engine.interface import EngineUnavailableError
from models.engine.on_openvino import open_core
from shared.errors import BadInputError

MODEL = Path("modules/face_landmark/face_landmark.tflite")
SIDE = 192  # pixels it looks at
POINTS = 468
# MediaPipe looks at a square half as large again as the face, with room for error.
ROOM = 1.5
SHAKEN_SIZE, SHAKEN_PLACE, SHAKEN_TURN = 0.1, 0.05, 0.15  # shares, and radians


class _Step(NamedTuple):
    """One operation: what it is, where its inputs are, and how it is set."""

    kind: str
    inputs: list[str]
    result: str
    settings: dict[str, Any]


class Landmarks(nn.Module):
    """Finds 468 points in a picture of a face.

    Raises:
        BadInputError: MediaPipe or OpenVINO is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            model = open_core().read_model(_installed() / MODEL)
        except (EngineUnavailableError, ModuleNotFoundError) as error:
            raise BadInputError(
                f"FaceMesh, which says how far rebuilt faces are off, cannot be read ({error}): "
                "install mediapipe and openvino, or train without it: --no-landmarks"
            ) from error
        self._steps: list[_Step] = []
        self._input, self._output = "", ""
        for operation in model.get_ordered_ops():
            self._add(operation)

    def _add(self, operation: Any) -> None:
        kind, name = operation.get_type_name(), operation.get_friendly_name()
        inputs = [port.get_source_output().get_node().get_friendly_name()
                  for port in operation.inputs()]  # fmt: skip
        settings = dict(operation.get_attributes())
        if kind == "Parameter":
            self._input = name
        elif kind == "Constant":
            self._keep(name, torch.from_numpy(np.array(operation.data)))
        elif kind == "Result":
            # Two come out: the points, and whether there is a face at all.
            if operation.inputs()[0].get_partial_shape().get_dimension(3).get_length() > POINTS:
                self._output = inputs[0]
        elif all(own in self._buffers for own in inputs):
            values = [self.get_buffer(own) for own in inputs]
            self._keep(name, _compute(kind, values, settings, constant=True))
        else:
            self._steps.append(_Step(kind, inputs, name, settings))

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.float() if value.is_floating_point() else value)

    def forward(self, images: Tensor) -> Tensor:
        """Return the points of faces, (N, 468, 3), picture sides.

        Args:
            images: square pictures that a face fills, (N, 3, 192, 192), in [-1, 1].
        """
        values = {self._input: ((images + 1) / 2).permute(0, 2, 3, 1)}
        for step in self._steps:
            inputs = [
                values[name] if name in values else self.get_buffer(name) for name in step.inputs
            ]
            values[step.result] = _compute(step.kind, inputs, step.settings, constant=False)
        return values[self._output].reshape(len(images), POINTS, 3) / SIDE


class LandmarkDistance(nn.Module):
    """How far apart the tracker finds the same face's points in two pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.landmarks = Landmarks().requires_grad_(False)

    def forward(self, image: Tensor, target: Tensor, faces: Tensor) -> Tensor:
        """Return the mean distance along each axis, in percent of the square looked at.

        Args:
            image: the rebuilt picture, (N, 3, H, W), in [-1, 1].
            target: the real one.
            faces: driving face images, (N, C >= 3, H, W): they say where the face is.
        """
        where = _squares(faces[:, 0:1] > 0)
        with torch.autocast(image.device.type, enabled=False):  # BF16 would be off by a pixel
            grid = F.affine_grid(where, [len(image), 3, SIDE, SIDE], align_corners=False)
            looked_at = [
                F.grid_sample(picture.float(), grid, padding_mode="border", align_corners=False)
                for picture in (image, target)
            ]
            found = self.landmarks(looked_at[0])
            with torch.no_grad():
                wanted = self.landmarks(looked_at[1])
        distance: Tensor = 100 * (found - wanted).abs().mean()
        return distance


def _squares(masks: Tensor) -> Tensor:
    """Return maps to a square around each mask, a little shaken, (N, 2, 3), for `affine_grid`."""
    maps = []
    for mask in masks[:, 0]:
        rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
        shaken = torch.rand(4, device=masks.device) * 2 - 1
        if not len(rows):  # no face: the whole picture
            maps.append(torch.eye(3, device=masks.device)[:2])
            continue
        ends = [(float(own.min()), float(own.max()) + 1) for own in (columns, rows)]
        centre = [2 * (low + high) / 2 / len(mask) - 1 for low, high in ends]
        half = ROOM * max(high - low for low, high in ends) / len(mask)
        half *= 1 + SHAKEN_SIZE * float(shaken[0])
        turn = SHAKEN_TURN * shaken[1]
        cos, sin = half * torch.cos(turn), half * torch.sin(turn)
        x, y = (c + half * SHAKEN_PLACE * s for c, s in zip(centre, shaken[2:], strict=True))
        maps.append(torch.stack([cos, -sin, x, sin, cos, y]).reshape(2, 3))
    return torch.stack(maps)


def _installed() -> Path:
    """Return where the package lies; it is not imported, which takes seconds."""
    found = util.find_spec("mediapipe")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package mediapipe is not installed")
    return Path(found.submodule_search_locations[0])


def _compute(kind: str, inputs: list[Tensor], settings: dict[str, Any], constant: bool) -> Tensor:
    """Return what one of FaceMesh's operations makes of its inputs."""
    if kind == "Reshape":
        return _reshape(inputs[0], inputs[1], constant)
    if kind not in _OPERATIONS:
        raise ValueError(f"FaceMesh has an operation that is not known here: {kind}")
    return _OPERATIONS[kind](inputs, settings)


def _reshape(value: Tensor, shape: Tensor, constant: bool) -> Tensor:
    # A size of 0 stays as it is; what is no constant has a batch in front.
    sizes = [size or value.shape[axis] for axis, size in enumerate(shape.tolist())]
    return value.reshape(sizes if constant else [len(value), *sizes[1:]])


def _convolve(inputs: list[Tensor], settings: dict[str, Any]) -> Tensor:
    image, weight = inputs
    (top, left), (bottom, right) = settings["pads_begin"], settings["pads_end"]
    groups = 1
    if weight.dim() == 5:  # of groups
        groups = len(weight)
        weight = weight.flatten(0, 1)
    image = F.pad(image, (left, right, top, bottom))
    return F.conv2d(image, weight, stride=settings["strides"], groups=groups)


def _pad(inputs: list[Tensor], settings: dict[str, Any]) -> Tensor:
    del settings
    ends = zip(reversed(inputs[1].tolist()), reversed(inputs[2].tolist()), strict=True)
    return F.pad(inputs[0], [side for pair in ends for side in pair])


def _unsqueeze(inputs: list[Tensor], settings: dict[str, Any]) -> Tensor:
    del settings
    value = inputs[0]
    for axis in inputs[1].tolist():
        value = value.unsqueeze(axis)
    return value


_OPERATIONS: dict[str, Callable[[list[Tensor], dict[str, Any]], Tensor]] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Convert": lambda inputs, _: inputs[0].float(),
    "Convolution": _convolve,
    "GroupConvolution": _convolve,
    "MaxPool": lambda inputs, how: F.max_pool2d(inputs[0], how["kernel"], how["strides"]),
    "PRelu": lambda inputs, _: torch.where(inputs[0] > 0, inputs[0], inputs[1] * inputs[0]),
    "Pad": _pad,
    "Transpose": lambda inputs, _: inputs[0].permute(*inputs[1].tolist()),
    "Unsqueeze": _unsqueeze,
}
