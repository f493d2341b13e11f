"""A few real frames of one person, on which an engine is checked before it is used.

`models.make_sample` made the file from the demo's clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from models.engine.interface import Floats
from shared.errors import BadInputError
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel
from shared.iris import iris_colour
from shared.mouth import mouth_basis
from shared.mouth_meter import brightness, light_inside
from shared.params import Params

SAMPLE = "sample.npz"


@dataclass(frozen=True, slots=True)
class Sample:
    """Inputs as an engine takes them.

    Attributes:
        layers: of the reference, (1, 7, 256, 256), in [-1, 1].
        face: its face image, (1, 3, 256, 256), in [0, 1].
        faces: of each frame, (N, 9, 256, 256).
        displacements: of each frame, (N, 2, 256, 256).
    """

    layers: Floats
    face: Floats
    faces: Floats
    displacements: Floats


def read_sample(path: Path | None = None, frames: int | None = None) -> Sample:
    """Draw the geometry of the first (or all) frames of the shipped sample.

    Raises:
        BadInputError: there is no such file, or it is not one of `models.make_sample`.
    """
    path = path or Path(str(resources.files("models") / "weights" / SAMPLE))
    try:
        with np.load(path) as file:
            layers, identity, home, runs, mouths, irises = (
                file[name] for name in ("layers", "identity", "home", "runs", "mouths", "irises")
            )
    except (OSError, KeyError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read as sample frames: {error}") from error
    renderer = FaceRenderer(FaceModel.load())
    at_home = renderer.pose(identity, Params.from_vector(home))
    picture = np.ascontiguousarray(layers[..., :3])
    face = renderer.draw(at_home, at_home, light_inside(picture, at_home.mouth)).nmfc
    bright = np.float32(brightness(picture, face))
    faces, displacements = [], []
    for run in list(zip(runs, mouths, irises, strict=True))[:frames]:
        drawn = [
            renderer.draw(
                renderer.pose(identity, Params.from_vector(vector)),
                at_home,
                bright * mouth_basis().light(mouth),
                bright * iris_colour(iris),
            )
            for vector, mouth, iris in zip(*run, strict=True)
        ]
        faces.append(np.concatenate([planes(one.nmfc) for one in drawn], axis=1))
        displacements.append(planes(drawn[0].displacement))
    return Sample(
        planes(layers) / np.float32(127.5) - 1,
        planes(face),
        np.concatenate(faces),
        np.concatenate(displacements),
    )


def planes(image: np.ndarray) -> Floats:
    """Return an image (H, W, C) as float32 (1, C, H, W)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
