"""The 3-D face image (NMFC) and the displacement from the driving face to the reference.

HeadGAN, sections 3.1 and 4.1: the mesh is rasterised with the mean face's normalised x-y-z
coordinates as colours, so that a pixel says which part of a face it shows. In the same pass the
geometric displacement field of "Progressive warping" (section 3.2): where each pixel of the
driving face lies in the reference picture, less where it is.

MediaPipe's mesh closes mouth and eyes with triangles. Those of the mouth make way for a finer grid
between the lips, which carries displacement but none of the face's colours, so that the face image
shows an open mouth as a hole, as the paper's scanned faces do; the inside of the mouth has a colour
of its own, which tells it from what is no head, and says how light it is (`shared.mouth`). Those of
the eyes make way for an eyeball behind the lids: the iris moves as it is and has a colour that says
what its own is (`shared.iris`), the white between it and the lids is stretched.

A face mesh ends at the hairline. Rings of vertices around it, the apron, carry the rigid part of
the displacement on to hair, ears and neck and fade it out towards shoulders and background. Rigid
is what the skull does: an opened mouth makes the whole fit larger and turns it, and hair that
followed would grow with every word. The figures below were searched for on training pairs
(`python -m benchmarks.geometry`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from shared.eyes import EYES, IRISES, SKIN_COUNT
from shared.face_model import POINT_COUNT, FaceModel, eye_distance
from shared.iris import iris_colour, usual
from shared.lids import EDGES, with_closed_lids, with_unfolded_lids
from shared.lips import OPENING
from shared.mouth import ACROSS, DOWN, GRID_COUNT, grid_triangles, mouth_grid, over_grid
from shared.params import Floats, Params
from shared.procrustes import register
from shared.rasteriser import rasterise
from shared.sway import sway_field

# The face oval in order, the only border of MediaPipe's mesh.
OVAL = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
    152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)  # fmt: skip
LID_EDGES = EYES[0] + EYES[1]
# The mouth's colour: no point of a face has x or y at 0; z is the first where it is dark inside and
# the second where it is white.
MOUTH_DARK, MOUTH_WHITE = 0.6, 1.0
# An iris's: no point of a face has z at 0; x and y are the first where it is dark or as red as can
# be and the second where it is white or as blue; blue less red is between these, in [-1, 1].
IRIS_LOW, IRIS_HIGH = 0.2, 1.0
WHITE = 0.03  # x of the whites, which have neither y nor z
REDDEST, BLUEST = -0.4, 0.4
# Vertices: the face, the mouth's inside, the lids' edges again, a circle around each iris twice,
# the face's border again, the rings. Each circle has a vertex for each of the lids' edge; the first
# is the whites', the second the irises'.
LID_START = POINT_COUNT + GRID_COUNT
WHITE_START = LID_START + len(LID_EDGES)
IRIS_START = WHITE_START + len(LID_EDGES)
APRON_START = IRIS_START + len(LID_EDGES)
CENTRES = [iris[0] for iris in IRISES]
# Points of the skull that no expression moves: corners of the eyes, temples, bridge and tip of the
# nose.
SKULL = (33, 133, 362, 263, 127, 234, 356, 454, 168, 6, 197, 195, 5, 4)


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring of the apron.

    Attributes:
        size: over the face oval's.
        above: how much of the rigid motion it keeps at the eyes and above.
        below: the same below the chin.
        depth: how far behind the oval it lies, eye distances: a turned head takes its hair along
            less than its face.
    """

    size: float
    above: float
    below: float
    depth: float


# Hair moves with the head, shoulders hardly do, the background not at all.
RINGS = (
    Ring(1.3, 0.95, 0.45, 0.65),
    Ring(1.6, 0.85, 0.35, 0.9),
    Ring(2.2, 0.25, 0.1, 0.9),
    Ring(3.2, 0.0, 0.0, 0.9),
)
# A head that moves by this share of its face's height or more takes everything along: fading so
# much motion out would fold the picture, and leave the old head standing beside the new one.
FAR = 0.5
APRON_COUNT = (1 + len(RINGS)) * len(OVAL)
# Drawn behind every face, whatever its pose: irises behind the lids, and the whites behind irises.
IRIS_DEPTH, WHITE_DEPTH, APRON_DEPTH = 10.0, 20.0, 50.0
LID_DEPTH = -0.02  # a closed upper lid lies over the lower one
# A mouth's and irises', where only shape matters.
DARKNESS = np.zeros((DOWN, ACROSS), np.float32)
USUAL_IRIS = iris_colour(usual())


@dataclass(frozen=True, slots=True)
class FaceShape:
    """One face, posed, with openings and apron; what a face image is drawn from.

    Attributes:
        points: shape (478 + 110 + 3 * 32 + 5 * 36, 3), float32, crop sides.
    """

    points: Floats

    @property
    def mouth(self) -> Floats:
        """The grid between the lips (`shared.mouth.mouth_grid`), shape (110, 3)."""
        return self.points[POINT_COUNT:LID_START]


@dataclass(frozen=True, slots=True)
class FaceImage:
    """What the generator sees of one frame's geometry.

    Attributes:
        nmfc: shape (S, S, 3), float32: the mean face's coordinates, in [0.05, 1] on the face;
            0 beside it; `mouth_colour` in the mouth; `eye_colour` in the irises and `WHITE` around
            them.
        displacement: shape (S, S, 2), float32: reference position minus driving position of
            what the pixel shows, in crop sides, x then y; fades to 0 away from the head, or to the
            head's own where that moved far.
        beside: shape (S, S), float32: 0 on the face, 1 beside it: how much of a sway's motion
            each pixel takes.
    """

    nmfc: Floats
    displacement: Floats
    beside: Floats

    def swayed(self, sway: Floats) -> Floats:
        """Return the displacement with a sway's beside the face, shape (S, S, 2)."""
        return self.displacement + self.beside[..., None] * sway_field(sway, len(self.beside))


def face_colours(model: FaceModel) -> Floats:
    """Return the colours of the skin's vertices, (468, 3): the mean face, normalised."""
    skin = model.mean[:SKIN_COUNT]
    low, high = skin.min(axis=0), skin.max(axis=0)
    # Zero means "no face": colours start a little above it.
    return np.asarray(0.05 + 0.95 * (skin - low) / (high - low), np.float32)


def mouth_colour(light: npt.ArrayLike) -> Floats:
    """Return the colours of a mouth's inside, shape (..., 3).

    Args:
        light: how light it is, any shape; cut to [0, 1].
    """
    z = MOUTH_DARK + (MOUTH_WHITE - MOUTH_DARK) * np.clip(np.asarray(light, np.float32), 0, 1)
    return np.stack([np.zeros_like(z), np.zeros_like(z), z], axis=-1)


def eye_colour(colour: Floats) -> Floats:
    """Return the colours of the irises, shape (3,).

    Args:
        colour: luma, in [0, 1], and blue less red, in [-1, 1], shape (2,); cut to what there is.
    """
    blue = (colour[1] - REDDEST) / (BLUEST - REDDEST)
    x, y = IRIS_LOW + (IRIS_HIGH - IRIS_LOW) * np.clip([colour[0], blue], 0, 1)
    return np.array([x, y, 0], np.float32)


def skin_of(nmfc: Floats) -> npt.NDArray[np.bool_]:
    """Return where a face image (S, S, 3) shows skin, no opening, shape (S, S)."""
    return np.asarray((nmfc > 0).all(axis=2), np.bool_)


class FaceRenderer:
    """Draws face images of one size; keeps the constant parts."""

    def __init__(self, model: FaceModel, size: int = 256) -> None:
        self._model = model
        self._size = size
        uncoloured = np.zeros((APRON_START - SKIN_COUNT + APRON_COUNT, 3))
        self._colours = np.concatenate([face_colours(model), uncoloured]).astype(np.float32)
        self._colours[LID_START:IRIS_START, 0] = WHITE
        inside = POINT_COUNT + grid_triangles()
        parts = [_with_openings(model.triangles), inside, _eye_triangles(), _apron_triangles()]
        self._triangles = np.concatenate(parts).astype(np.int32)
        self._directions = _iris_directions(model.mean)
        self._keep = _kept_motion(model.mean)
        # From the face's border to the first ring.
        self._beside = np.zeros((APRON_START + APRON_COUNT, 1), np.float32)
        self._beside[APRON_START + len(OVAL) :] = 1.0
        self._depth = _depths()

    def pose(self, identity: Floats, params: Params) -> FaceShape:
        """Return a person's face in a frame, with its apron.

        Args:
            identity: the person's identity coefficients, shape (K,).
            params: the frame's 35 floats.
        """
        shape = with_closed_lids(self._model.shape(identity, params.expression))
        neutral = self._model.shape(identity, np.zeros_like(params.expression))
        skull = register(neutral[list(SKULL)], shape[list(SKULL)])
        # Edges stand twice: once with the colours of the face and once with none.
        edges, oval = shape[list(LID_EDGES)], shape[list(OVAL)]
        mouth, irises = mouth_grid(shape), _irises(shape, self._directions)
        apron = skull.apply(_apron(neutral))
        vertices = np.concatenate([shape, mouth, edges, irises, irises, oval, apron])
        return FaceShape(self._model.project(vertices, params.camera))

    def draw(
        self,
        driving: FaceShape,
        reference: FaceShape,
        light: Floats = DARKNESS,
        iris: Floats = USUAL_IRIS,
    ) -> FaceImage:
        """Return the face image of a driving frame against the reference.

        Args:
            driving: the frame to show.
            reference: the face of the reference picture.
            light: how light the inside of its mouth is, (8, 9), in [0, 1].
            iris: luma of its irises, and blue less red, (2,), see `eye_colour`.
        """
        colours = self._colours.copy()
        colours[POINT_COUNT:LID_START] = mouth_colour(over_grid(light))
        colours[CENTRES] = colours[IRIS_START:APRON_START] = eye_colour(iris)
        points = with_unfolded_lids(driving.points, reference.points)
        displacement, around = self._faded(points, reference.points)
        points[:, 2] += self._depth
        attributes = np.concatenate([colours, displacement, self._beside], axis=1)
        image, drawn = rasterise(points, self._triangles, attributes, self._size)
        image[~drawn, 3:5] = around
        image[~drawn, 5] = 1.0
        return FaceImage(image[..., :3], image[..., 3:5], image[..., 5])

    def _faded(self, driving: Floats, reference: Floats) -> tuple[Floats, Floats]:
        """Return each vertex's displacement, faded with the rings, and that around them."""
        displacement = (reference - driving)[:, :2]
        shift = displacement[:POINT_COUNT].mean(axis=0)
        height = float(np.ptp(driving[:POINT_COUNT, 1]))
        far = min(float(np.linalg.norm(shift)) / max(FAR * height, 1e-6), 1.0)
        around = np.float32(far**2) * shift
        return self._keep * displacement + (1 - self._keep) * around, around


def _with_openings(triangles: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the face's triangles, none within mouth and eyes."""
    within = [np.isin(triangles, ring).all(axis=1) for ring in (OPENING, *EYES)]
    kept: npt.NDArray[np.int32] = triangles[~np.any(within, axis=0)]
    return kept


def _iris_directions(mean: Floats) -> Floats:
    """Return where each vertex around an iris lies on it, shape (2, 16, 2).

    Towards its vertex of the lids' edge in the mean face, in units of the iris's two half axes.
    """
    directions = []
    for eye, iris in zip(EYES, IRISES, strict=True):
        centre, across, up = _axes(mean, iris)
        found = np.linalg.lstsq(
            np.stack([across, up], axis=1)[:2], (mean[list(eye)] - centre)[:, :2].T, rcond=None
        )[0].T
        directions.append(found / np.linalg.norm(found, axis=1, keepdims=True))
    return np.asarray(directions, np.float32)


def _irises(shape: Floats, directions: Floats) -> Floats:
    """Return the vertices around both irises, shape (32, 3), model units."""
    circles = []
    for iris, towards in zip(IRISES, directions, strict=True):
        centre, across, up = _axes(shape, iris)
        circles.append(centre + towards @ np.stack([across, up]))
    return np.concatenate(circles).astype(np.float32)


def _axes(shape: Floats, iris: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Return an iris's centre and its half axes, each of shape (3,)."""
    centre, first, second, third, fourth = shape[list(iris)]
    return centre, (first - third) / 2, (second - fourth) / 2


def _eye_triangles() -> npt.NDArray[np.int32]:
    """Return the triangles of both eyeballs: whites from the lids to the irises, and these."""
    triangles, first = [], 0
    for eye, centre in zip(EYES, CENTRES, strict=True):
        places = first + np.arange(len(eye))
        triangles += _band(LID_START + places, WHITE_START + places)
        edge = IRIS_START + places
        triangles.append(np.stack([edge, np.roll(edge, -1), np.full(len(eye), centre)], axis=1))
        first += len(eye)
    return np.concatenate(triangles).astype(np.int32)


def _band(inner: npt.NDArray[np.int_], outer: npt.NDArray[np.int_]) -> list[npt.NDArray[np.int_]]:
    """Return the triangles between two closed rings of as many vertices."""
    inner_next, outer_next = np.roll(inner, -1), np.roll(outer, -1)
    return [
        np.stack([inner, inner_next, outer], axis=1),
        np.stack([inner_next, outer_next, outer], axis=1),
    ]


def _depths() -> Floats:
    """Return how far behind the face each vertex is drawn, crop sides."""
    depths = np.zeros(APRON_START + APRON_COUNT, np.float32)
    depths[list(EDGES[0] + EDGES[1])] = LID_DEPTH
    depths[SKIN_COUNT:POINT_COUNT] = IRIS_DEPTH
    depths[LID_START:WHITE_START] = WHITE_DEPTH
    depths[WHITE_START:APRON_START] = IRIS_DEPTH
    depths[APRON_START:] = APRON_DEPTH
    return depths


def _apron(neutral: Floats) -> Floats:
    """Return the rings around a face, shape (4 * 36, 3), model units."""
    oval = neutral[list(OVAL)]
    centre, depth = oval.mean(axis=0), [0, 0, eye_distance(neutral)]
    rings = [
        centre + (oval - centre) * [ring.size, ring.size, 1] + np.multiply(ring.depth, depth)
        for ring in RINGS
    ]
    return np.concatenate(rings).astype(np.float32)


def _apron_triangles() -> npt.NDArray[np.int32]:
    count = len(OVAL)
    loops = [APRON_START + count * ring + np.arange(count) for ring in range(1 + len(RINGS))]
    triangles = []
    for inner, outer in pairwise(loops):
        triangles += _band(inner, outer)
    return np.concatenate(triangles).astype(np.int32)


def _kept_motion(mean: Floats) -> Floats:
    """Return how much of its displacement each vertex keeps, one a vertex, shape (864, 1)."""
    oval = mean[list(OVAL)]
    # 0 at the eyes, 1 at the chin.
    below = np.clip((oval[:, 1] / eye_distance(mean) - 0.1) / 0.8, 0, 1)
    rings = [ring.above + (ring.below - ring.above) * below for ring in RINGS]
    return np.concatenate([np.ones(APRON_START + len(OVAL)), *rings]).astype(np.float32)[:, None]
