"""The square of the camera picture that a call is about: fixed when the call starts.

HeadGAN works on 256x256 pictures of a head; the crop is chosen once, on the frame the identity
is calibrated on, and kept, so that the background stands still and the head moves in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

PICTURE_SIZE = 256
SIDE_TO_FACE = 1.9  # crop side over the height of the tracked face: room for hair and shoulders
MARGIN = 16  # pixels around the crop that its border's averages may reach
RAISE = 0.06  # the crop's centre lies this share of the face above the face's, for the hair


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the picture, in pixels; it may reach beyond the picture's border.

    Attributes:
        left: x of its left edge.
        top: y of its top edge.
        side: length of its side, positive.
    """

    left: float
    top: float
    side: float

    @classmethod
    def around(cls, points: Points, width: int, height: int) -> Crop:
        """Return the crop for a head, inside the picture wherever it fits.

        Args:
            points: tracked points, shape (478, 3), pixels.
            width: the picture's width, pixels.
            height: the picture's height, pixels.
        """
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        face = float((high - low).max())
        centre = (low + high) / 2
        side = min(SIDE_TO_FACE * face, float(min(width, height)))
        left = float(centre[0]) - side / 2
        top = float(centre[1]) - RAISE * face - side / 2
        return cls(
            float(np.clip(left, 0, width - side)), float(np.clip(top, 0, height - side)), side
        )

    def cut(self, image: Image, size: int = PICTURE_SIZE) -> Image:
        """Return the crop's content as a picture of `size` x `size` pixels.

        Beyond the picture's border its edge pixels are repeated.
        """
        image, left, top = self._window(image)
        scale = zoom = size / self.side
        # Average the area first, where there is one: sampling alone would alias.
        if zoom < 1 <= zoom * min(image.shape[:2]):
            small = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
            image = np.asarray(small, np.uint8)
            zoom = 1.0
        matrix = np.array([[zoom, 0, -left * scale], [0, zoom, -top * scale]], np.float64)
        # Pixel centres lie at half pixels: the shift keeps them aligned under scaling.
        matrix[:, 2] += (zoom - 1) / 2
        cut = cv2.warpAffine(
            image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cut, np.uint8)

    def _window(self, image: Image) -> tuple[Image, float, float]:
        """Return the part of the picture that the crop shows, and the crop's corner in it.

        A camera's picture is many times larger: averaging all of it would take milliseconds.
        """
        spans, corner = [], (self.top, self.left)
        for low, length in zip(corner, image.shape, strict=False):
            start = int(np.clip(np.floor(low) - MARGIN, 0, length - 1))
            end = int(np.clip(np.ceil(low + self.side) + MARGIN, start + 1, length))
            spans.append((start, end))
        (top, bottom), (left, right) = spans
        return image[top:bottom, left:right], self.left - left, self.top - top

    def to_units(self, points: Points) -> Points:
        """Return points given in pixels in units of the crop's side, from its top-left corner."""
        origin = np.array([self.left, self.top, 0], np.float32)
        return np.asarray((points - origin) / np.float32(self.side), np.float32)
