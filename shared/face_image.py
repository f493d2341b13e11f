"""The 3-D face image (NMFC) and the displacement from the driving face to the reference.

HeadGAN, sections 3.1 and 4.1: the mesh is rasterised with the mean face's normalised x-y-z
coordinates as colours, so that a pixel says which part of a face it shows. In the same pass the
geometric displacement field of "Progressive warping" (section 3.2): where each pixel of the
driving face lies in the reference picture, less where it is.

A face mesh ends at the hairline. Rings of vertices around it, the apron, carry the rigid part of
the displacement on to hair, ears and neck and fade it out towards shoulders and background.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from shared.face_model import POINT_COUNT, FaceModel, eye_distance
from shared.params import Floats, Params
from shared.rasteriser import rasterise

# The face oval in order, the only border of MediaPipe's mesh.
OVAL = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
    152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)  # fmt: skip
# Each ring: its size over the face oval's, and how much of the rigid motion it keeps above and
# below the chin. Hair moves with the head, shoulders hardly do, the background not at all.
RINGS = ((1.3, 1.0, 0.75), (1.6, 0.85, 0.4), (2.2, 0.35, 0.1), (3.2, 0.0, 0.0))
APRON_DEPTH = 50.0  # drawn behind every face, whatever its pose


@dataclass(frozen=True, slots=True)
class FaceShape:
    """One face, posed, with its apron; what a face image is drawn from.

    Attributes:
        points: shape (468 + 5 * 36, 3), float32, crop sides.
    """

    points: Floats


@dataclass(frozen=True, slots=True)
class FaceImage:
    """What the generator sees of one frame's geometry.

    Attributes:
        nmfc: shape (S, S, 3), float32: the mean face's coordinates, in [0, 1] on the face and 0
            beside it.
        displacement: shape (S, S, 2), float32: reference position minus driving position of
            what the pixel shows, in crop sides, x then y; fades to 0 away from the head.
    """

    nmfc: Floats
    displacement: Floats


class FaceRenderer:
    """Draws face images of one size; keeps the constant parts."""

    def __init__(self, model: FaceModel, size: int = 256) -> None:
        self._model = model
        self._size = size
        low, high = model.mean.min(axis=0), model.mean.max(axis=0)
        colours = (model.mean - low) / (high - low)
        # Zero means "no face": colours start a little above it.
        self._colours = np.concatenate(
            [0.05 + 0.95 * colours, np.zeros(((1 + len(RINGS)) * len(OVAL), 3))]
        ).astype(np.float32)
        self._triangles = np.concatenate([model.triangles, _apron_triangles()]).astype(np.int32)
        self._keep = _kept_motion(model.mean)

    def pose(self, identity: Floats, params: Params) -> FaceShape:
        """Return a person's face in a frame, with its apron.

        Args:
            identity: the person's identity coefficients, shape (K,).
            params: the frame's 35 floats.
        """
        shape = self._model.shape(identity, params.expression)
        neutral = self._model.shape(identity, np.zeros_like(params.expression))
        # The apron's inner edge is the oval itself, once more, without its colours.
        vertices = np.concatenate([shape, shape[list(OVAL)], _apron(neutral)])
        return FaceShape(self._model.project(vertices, params.camera))

    def draw(self, driving: FaceShape, reference: FaceShape) -> FaceImage:
        """Return the face image of a driving frame against the reference.

        Args:
            driving: the frame to show.
            reference: the face of the reference picture.
        """
        displacement = (reference.points - driving.points)[:, :2] * self._keep
        points = driving.points.copy()
        points[len(self._model.mean) :, 2] += APRON_DEPTH
        attributes = np.concatenate([self._colours, displacement], axis=1)
        image, _ = rasterise(points, self._triangles, attributes, self._size)
        return FaceImage(image[..., :3], image[..., 3:])


def _apron(neutral: Floats) -> Floats:
    """Return the rings around a face, shape (4 * 36, 3), model units."""
    oval = neutral[list(OVAL)]
    centre = oval.mean(axis=0)
    return np.concatenate([centre + (oval - centre) * [size, size, 1] for size, _, _ in RINGS])


def _apron_triangles() -> npt.NDArray[np.int32]:
    count = len(OVAL)
    loops = [POINT_COUNT + count * ring + np.arange(count) for ring in range(1 + len(RINGS))]
    triangles = []
    for inner, outer in pairwise(loops):
        inner_next, outer_next = np.roll(inner, -1), np.roll(outer, -1)
        triangles.append(np.stack([inner, inner_next, outer], axis=1))
        triangles.append(np.stack([inner_next, outer_next, outer], axis=1))
    return np.concatenate(triangles).astype(np.int32)


def _kept_motion(mean: Floats) -> Floats:
    """Return how much of its displacement each vertex keeps, shape (468 + 4 * 36, 1)."""
    oval = mean[list(OVAL)]
    below = np.clip((oval[:, 1] / eye_distance(mean) - 0.3) / 0.8, 0, 1)  # 0 at the eyes, 1 at chin
    rings = [above + (under - above) * below for _, above, under in RINGS]
    return np.concatenate([np.ones(len(mean) + len(OVAL)), *rings]).astype(np.float32)[:, None]
