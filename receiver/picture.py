"""One rebuilt picture on its way to the sinks, and the mark that every one carries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from shared.pictures import Image

MARK = "Synthesised from one photograph"
STRIP_HEIGHT = 32
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MARGIN = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """A rebuilt frame with its mark.

    Attributes:
        sequence: the frame's number on the wire.
        captured_ms: capture time on the sender's call clock.
        latency_ms: from capture to this picture; None while the clocks are not yet matched.
        image: the picture with the strip below it.
    """

    sequence: int
    captured_ms: int
    latency_ms: float | None
    image: Image


def with_mark(image: Image) -> Image:
    """Return the picture with the strip below it; no pixel of the picture is covered."""
    return np.concatenate([image, _strip(image.shape[1])])


@lru_cache(maxsize=4)
def _strip(width: int) -> Image:
    strip = np.full((STRIP_HEIGHT, width, 3), 24, np.uint8)
    (unit_width, _), _ = cv2.getTextSize(MARK, _FONT, 1.0, 1)
    scale = min(0.5, (width - 2 * _MARGIN) / unit_width)
    (text_width, text_height), _ = cv2.getTextSize(MARK, _FONT, scale, 1)
    origin = ((width - text_width) // 2, (STRIP_HEIGHT + text_height) // 2)
    cv2.putText(strip, MARK, origin, _FONT, scale, (235, 235, 235), 1, cv2.LINE_AA)
    strip.setflags(write=False)
    return strip
