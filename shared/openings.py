"""How far eyes and mouth are open: what tells a blink or a word from a moved head."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.eyes import EYES
from shared.face_model import FaceModel
from shared.lips import OPENING
from shared.params import EXPRESSION_SIZE, Floats

_NUDGE = 0.5  # standard deviations to either side


def openings(points: Floats) -> Floats:
    """Return how far left eye, right eye and mouth are open, mean height over width, (N, 3).

    Open eyes have about 0.2, closed ones 0.05 or less.

    Args:
        points: of N faces, shape (N, 478, 3), y down, in any unit.
    """
    return np.stack([_opening(points, ring) for ring in (*EYES, OPENING)], axis=1)


def openings_by_expression(model: FaceModel) -> npt.NDArray[np.float64]:
    """Return by how much each expression number opens eyes and mouth of the mean face, (3, 28)."""
    nobody = np.zeros(len(model.identity), np.float32)
    nudges = _NUDGE * np.eye(EXPRESSION_SIZE, dtype=np.float32)
    more, less = (
        openings(np.stack([model.shape(nobody, sign * nudge) for nudge in nudges]))
        for sign in (np.float32(1), np.float32(-1))
    )
    return np.asarray((more - less).T / (2 * _NUDGE), np.float64)


def _opening(points: Floats, ring: tuple[int, ...]) -> Floats:
    """Return one opening of each face, (N,).

    Args:
        points: shape (N, 478, 3).
        ring: its edge from the left corner along the lower side; as many points above as below.
    """
    edge = points[:, list(ring), :2]
    half = len(ring) // 2
    across = edge[:, half] - edge[:, 0]
    width = np.maximum(np.linalg.norm(across, axis=1), 1e-6)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1) / width[:, None]
    gaps = edge[:, 1:half] - edge[:, :half:-1]
    heights = np.abs(np.einsum("npc,nc->np", gaps, down).mean(axis=1))
    return np.asarray(heights / width, np.float32)
