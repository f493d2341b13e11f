"""Pictures side by side, with captions above and the mark of synthesis below."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from shared.crop import PICTURE_SIZE
from shared.pictures import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (235, 235, 235)
_PAPER = 24
_BAR = 32  # height of the bars above and below a picture, at 256 pixels a side
_MARGIN = 8
_LARGEST_SCALE = 0.5


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture with its captions.

    Attributes:
        picture: shape (256, 256, 3), or (288, 256, 3) where its mark is below it already.
        above: the caption above it.
        below: the caption below it; not used where the picture has its mark.
    """

    picture: Image
    above: str
    below: str = ""


def side_by_side(panels: list[Panel], zoom: int = 1) -> Image:
    """Return the panels in a row.

    Args:
        panels: at least one.
        zoom: pixels drawn for each pixel of a picture; captions are drawn sharp at any zoom.

    Returns:
        Shape (320 * zoom, 256 * zoom * len(panels), 3), RGB.
    """
    return np.concatenate([_draw(panel, zoom) for panel in panels], axis=1)


def _draw(panel: Panel, zoom: int) -> Image:
    parts = [_bar(panel.above, zoom), _enlarge(panel.picture, zoom)]
    if panel.picture.shape[0] == PICTURE_SIZE:
        parts.append(_bar(panel.below, zoom))
    return np.concatenate(parts)


def _enlarge(picture: Image, zoom: int) -> Image:
    if zoom == 1:
        return picture
    enlarged = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8)


def _bar(text: str, zoom: int) -> Image:
    width, height = PICTURE_SIZE * zoom, _BAR * zoom
    bar = np.full((height, width, 3), _PAPER, np.uint8)
    if text:
        (unit_width, _), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
        scale = min(_LARGEST_SCALE * zoom, (width - 2 * _MARGIN * zoom) / unit_width)
        (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, 1)
        origin = ((width - text_width) // 2, (height + text_height) // 2)
        cv2.putText(bar, text, origin, _FONT, scale, _INK, 1, cv2.LINE_AA)
    return bar
