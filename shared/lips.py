"""Lips that part and round, taken from points that see it.

FaceMesh's plain lips stand nearly still in a quiet speaker's face, never quite close, and keep
their width when the mouth is rounded. Its refined lips lie where the lips are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]

# From corner to corner: the upper lip's rows, from its outer edge to its inner one; then the lower
# lip's, from its inner edge outwards. Corners belong to an upper and a lower row.
ROWS = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
LIPS = tuple(sorted({point for row in ROWS for point in row}))
OPENING = (*ROWS[3], *ROWS[4][-2:0:-1])  # around the mouth's opening, from the left corner


def with_lips(plain: Points, refined: Points) -> Points:
    """Return a face whose lips are where they are seen in the picture, shape (468, 3).

    Args:
        plain: points of the face, shape (468, 3), x to the right and y down.
        refined: the refined points of the same picture, shape (478, 3), at the same place and in
            the same units; those in `LIPS` count, but not their depths, which are a guess.
    """
    face = plain.copy()
    lips = list(LIPS)
    face[lips, :2] = refined[lips, :2]
    return face
