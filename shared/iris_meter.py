"""Measuring the colour of the irises in a call's pictures, the longer the surer."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from shared.eyes import EYES, IRISES
from shared.iris import iris_colour, iris_numbers, usual
from shared.metrics import LUMA
from shared.params import Floats
from shared.pictures import Image

# Of an iris's radius: between the pupil and the rim.
INNER, OUTER = 0.4, 0.9
LEAST = 0.25  # share of the irises that is seen; less is lashes
# How much the usual colour counts against irises that are seen whole in one frame, and how much
# of what was seen before is kept from frame to frame: the light in a room does change.
DOUBT, KEPT = 0.1, 0.99
_SHIFT = 4  # places are drawn in fractions of a pixel; a power of two
FINE = 1 << _SHIFT


class Glimpse(NamedTuple):
    """What one picture shows of the irises.

    Attributes:
        seen: the share of them, in [0, 1].
        colour: luma, and blue less red, in [0, 1] and [-1, 1], shape (2,); 0 where none is seen.
    """

    seen: float
    colour: Floats


class IrisMeter:
    """Remembers the irises of one call; not for two threads at once."""

    def __init__(self, face: float) -> None:
        """Start a call.

        Args:
            face: the brightness of the key picture's face, which the irises' is compared with.
        """
        self._face = np.float32(face)
        self._weight, self._sum = 0.0, np.zeros(2, np.float32)

    def measure(self, picture: Image, points: Floats) -> Floats:
        """Return the irises' numbers after a frame, shape (2,), standard deviations.

        Args:
            picture: the frame's crop, RGB uint8 (256, 256, 3).
            points: of its face, (478, 3), crop sides.
        """
        found = glimpse(picture, points)
        self._weight = KEPT * self._weight + found.seen
        self._sum = np.float32(KEPT) * self._sum + np.float32(found.seen) * found.colour
        doubted = self._sum / self._face + np.float32(DOUBT) * iris_colour(usual())
        return iris_numbers(np.asarray(doubted / (self._weight + DOUBT), np.float32))


def glimpse(picture: Image, points: Floats) -> Glimpse:
    """Return what a picture shows of the irises.

    Args:
        picture: RGB uint8 (S, S, 3).
        points: of its face, (478 or more, 3), picture sides.
    """
    size = len(picture)
    open_, rings = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for eye, iris in zip(EYES, IRISES, strict=True):
        lids, whole = (points[list(part), :2] * size - 0.5 for part in (eye, iris))
        cv2.fillPoly(open_, [np.rint(lids * FINE).astype(np.int32)], (1,), shift=_SHIFT)
        x, y = (int(value) for value in np.rint(whole[0] * FINE))
        radius = float(np.linalg.norm(whole[1:] - whole[0], axis=1).mean())
        for rim, value in ((OUTER, 1), (INNER, 0)):
            reach = min(round(rim * radius * FINE), size * FINE)
            cv2.circle(rings, (x, y), reach, (value,), cv2.FILLED, shift=_SHIFT)
    seen = (rings & open_) > 0
    share = float(np.count_nonzero(seen)) / max(float(np.count_nonzero(rings)), 1.0)
    if share < LEAST:
        return Glimpse(0.0, np.zeros(2, np.float32))
    # The median: a reflection is white, a lash is black.
    colour = np.median(picture[seen], axis=0) / 255
    return Glimpse(share, np.array([colour @ LUMA, colour[2] - colour[0]], np.float32))
