"""A still face whose picture stands still."""

from __future__ import annotations

import cv2
import numpy as np

from shared.pictures import Image

# Numbers in 8 bits tremble by a grey level where nothing moves; nobody sees a level's error.
LEVELS = 1


class Stillness:
    """Keeps what hardly changed from picture to picture as it was; for one call's pictures."""

    def __init__(self) -> None:
        self._shown: Image | None = None

    def apply(self, picture: Image) -> Image:
        """Return a picture in which each value differs from the last one's by 0 or by over a level.

        Args:
            picture: the next picture, RGB uint8; no longer the caller's.
        """
        if self._shown is not None and self._shown.shape == picture.shape:
            hardly = cv2.absdiff(picture, self._shown) <= LEVELS
            np.copyto(picture, self._shown, where=hardly)
        self._shown = picture
        return picture
