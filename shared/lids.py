"""Eyelids that close and unfold, where they are drawn.

Two things that 28 numbers do not say. Lids that meet: what is left of the opening of a closed eye,
a few hundredths of its width, is the fit's error. And where a lid's skin comes from: a mesh
stretches what lies between its rows of points, so that lashes painted just above the edge of an
open eye become a smear as high as the lid. A real lid is folded up under the brow; what rolls out
of that fold is smooth skin, and lashes and liner keep their size.
"""

from __future__ import annotations

import numpy as np

from shared.eyes import EYES
from shared.face_model import eye_distance
from shared.params import Floats

# The upper lids' edges, and the next row of points above each.
EDGES = (EYES[0][9:], EYES[1][9:])
FOLDS = (
    (190, 56, 28, 27, 29, 30, 247),
    (467, 260, 259, 257, 258, 286, 414),
)
# The opening of an eye, mean over the lids, eye widths: below the first it is closed, above the
# second it is as it was tracked. Measured on the training clips: closed eyes stay below 0.05,
# those of the narrowest open pair are 0.12 apart.
CLOSED, OPEN = 0.05, 0.1
# How far a closed upper lid hangs over the lower one, whose edge is wet and bright, eye widths.
OVERLAP = 0.06
# Lids meet in the corners.
_PROFILE = np.sin(np.pi * np.arange(1, 8) / 8).astype(np.float32)


def with_closed_lids(shape: Floats) -> Floats:
    """Return a face whose lids meet where they almost do.

    Args:
        shape: points of the face, shape (478, 3), y down, in any unit.
    """
    closed = shape.copy()
    for eye, upper in zip(EYES, EDGES, strict=True):
        corner, lower, other = eye[0], eye[1:8][::-1], eye[8]
        gap = shape[list(lower)] - shape[list(upper)]
        width = max(float(np.linalg.norm(shape[other] - shape[corner])), 1e-6)
        opening = float(gap[:, 1].mean()) / width
        if opening < OPEN:
            shut = min((OPEN - opening) / (OPEN - CLOSED), 1.0)
            kept = (1 - shut) * OPEN / max(opening, CLOSED)
            hang = OVERLAP * width * shut * _PROFILE
            closed[list(upper)] = shape[list(lower)] - kept * gap
            closed[list(upper), 1] += hang
    return closed


def with_unfolded_lids(driving: Floats, reference: Floats) -> Floats:
    """Return a driving face whose lids are as high above their edges as seen, or lower.

    What is left of a lid that closes further is then drawn from above its fold.

    Args:
        driving: points of the face, shape (478 or more, 3), in any unit.
        reference: the same of the reference picture's face.
    """
    unfolded = driving.copy()
    scale = eye_distance(driving) / max(eye_distance(reference), 1e-6)
    for edge, fold in zip(EDGES, FOLDS, strict=True):
        lid = driving[list(fold)] - driving[list(edge)]
        folded = reference[list(fold)] - reference[list(edge)]
        height, seen = (np.linalg.norm(part, axis=1, keepdims=True) for part in (lid, folded))
        share = np.minimum(scale * seen / np.maximum(height, 1e-6), 1)
        unfolded[list(fold)] = driving[list(edge)] + share * lid
    return unfolded
