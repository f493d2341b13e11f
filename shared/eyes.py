"""How far the eyes are open and where they look, taken from points that see it.

FaceMesh's plain points are calm, but their eyes hardly close and have no pupils. Its refined points
see both; they also tremble more and move in more ways than 28 numbers can say. So the face is the
plain one, and of the refined one counts, for each eye, how high the two lids stand and where the
iris is. `shared.lips` takes the mouth from them whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]

SKIN_COUNT = 468  # MediaPipe's points of the face; those of the irises follow
# The inner edge of each eye's lids: the left corner in the picture, the lower lid, the right
# corner, the upper lid.
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398),
)
# Each iris: its centre, and its edge to the right, above, to the left and below.
IRISES = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
# What is looked at of the refined points.
SEEN = (*EYES[0], *EYES[1], IRISES[0][0], IRISES[1][0])
IRIS_RADIUS = 0.21  # of the distance between an eye's corners; one size for all
_IRIS = IRIS_RADIUS * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
_RIGHT_CORNER = 8
_LIDS = (slice(1, 8), slice(9, 16))
# What a lid's height moves at each of its points: nothing in the corners, most amid them.
_PROFILE = np.sin(np.pi * np.arange(1, 8) / 8)
_PROFILE /= _PROFILE.mean()


def with_eyes(plain: Points, refined: Points) -> Points:
    """Return a face with living eyes, shape (478, 3).

    Args:
        plain: points of the face, shape (468, 3), x to the right and y down.
        refined: the refined points of the same picture, shape (478, 3), in the same units; those
            in `SEEN` count.
    """
    face = np.empty((len(refined), 3), np.float32)
    face[:SKIN_COUNT] = plain
    for eye, iris in zip(EYES, IRISES, strict=True):
        lids, seen = plain[list(eye)], refined[[*eye, iris[0]]]
        axes = _axes(lids)
        places, seen_places = _within(lids, axes), _within(seen, _axes(seen))
        for lid in _LIDS:
            height = seen_places[lid, 1].mean() - places[lid, 1].mean()
            lids[lid, :2] += height * _PROFILE[:, None] * axes[1]
        face[list(eye)] = lids
        face[list(iris), :2] = lids[0, :2] + (seen_places[-1] + _IRIS) @ axes
        face[list(iris), 2] = lids[:, 2].mean()
    # As the plain points have it; the wire gives the whole head's depth no level of its own.
    face[:, 2] -= face[:, 2].mean()
    return face


def _axes(lids: Points) -> npt.NDArray[np.float64]:
    """Return an eye's axes in the picture, rows: from corner to corner, and as long downwards."""
    across = (lids[_RIGHT_CORNER, :2] - lids[0, :2]).astype(np.float64)
    return np.array([across, [-across[1], across[0]]])


def _within(points: Points, axes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where points lie along an eye's axes from the first of them, shape (N, 2)."""
    # The axes are as long as one another and at right angles.
    offsets = (points[:, :2] - points[0, :2]).astype(np.float64)
    return np.asarray(offsets @ axes.T / max(float(np.square(axes[0]).sum()), 1e-12))
