"""The reference picture in layers: the person, and what lies behind.

A mesh knows the face and guesses the hair. With a mask of the person the background stands still
while the head moves in front of it, instead of being dragged along.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from shared.mesh_warp import mesh_warp
from shared.params import Floats
from shared.pictures import Image

Mask = npt.NDArray[np.uint8]

LAYER_CHANNELS = 7  # picture 3, person 1, backdrop 3
FILL_SIDE = 64  # pixels: what was never seen is guessed smooth, so coarse is enough and quick
FILL_RADIUS = 3  # pixels of that
# Pixels of the whole picture around the person that are guessed too: their edge has shed colour.
EDGE = 1
# Pixels (standard deviation) that the picture's outermost ones are blurred by, along the border:
# what moves in from beyond it repeats them, and hair would come in as streaks.
BORDER_BLUR = 3.0


@dataclass(frozen=True, slots=True)
class Layers:
    """A square picture taken apart.

    Attributes:
        picture: RGB uint8 (S, S, 3); its outermost pixels are blurred along the border.
        person: how far each pixel shows the person, uint8 (S, S), 255 is wholly.
        backdrop: the picture without the person, RGB uint8 (S, S, 3); guessed where they are.
    """

    picture: Image
    person: Mask
    backdrop: Image

    @classmethod
    def split(cls, picture: Image, person: Mask) -> Layers:
        """Take a picture apart, with a mask of the person in it."""
        return cls(_with_soft_border(picture), person, _backdrop(picture, person))

    def stack(self) -> npt.NDArray[np.uint8]:
        """Return all layers as one array, uint8 (S, S, 7)."""
        return np.concatenate([self.picture, self.person[..., None], self.backdrop], axis=2)

    def move(self, displacement: Floats) -> tuple[Image, Mask]:
        """Return the picture and the mask after the person moved and the background did not.

        Args:
            displacement: as in `shared.mesh_warp`.
        """
        moved, person = mesh_warp(self.picture, displacement), mesh_warp(self.person, displacement)
        share = person[..., None] / np.float32(255)
        mixed = share * moved + (1 - share) * self.backdrop
        return np.asarray(np.rint(mixed), np.uint8), person


def _with_soft_border(picture: Image) -> Image:
    soft = picture.copy()
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        line = np.ascontiguousarray(picture[edge])[None]
        soft[edge] = cv2.GaussianBlur(line, (0, 1), BORDER_BLUR, borderType=cv2.BORDER_REPLICATE)[0]
    return soft


def _backdrop(picture: Image, person: Mask) -> Image:
    square = np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8)
    hidden = cv2.dilate((person > 0).astype(np.float32), square)
    small_size = (FILL_SIDE, FILL_SIDE)
    hole = (cv2.resize(hidden, small_size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    if hole.all():
        return picture
    small = cv2.resize(picture, small_size, interpolation=cv2.INTER_AREA)
    filled = cv2.inpaint(small, hole, FILL_RADIUS, cv2.INPAINT_TELEA)
    smooth = cv2.resize(filled, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(hidden[..., None] > 0, smooth, picture)
