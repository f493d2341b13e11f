"""Measuring how light the inside of a mouth is in a picture."""

from __future__ import annotations

import cv2
import numpy as np

from shared.face_image import FaceRenderer, skin_of
from shared.face_model import FaceModel
from shared.mouth import inside, mouth_basis, mouth_grid, opening_of
from shared.optical_flow import SIDE
from shared.params import Floats, Params
from shared.pictures import Image

DARKEST = 0.1  # a face darker than this, in [0, 1], is taken to be so light
AROUND = 3  # pixels a side of the square that a place's brightness is averaged over


class MouthMeter:
    """Measures the mouths of one call, over the brightness of its key picture's face.

    Attributes:
        face: that brightness, in [0.1, 1].
    """

    def __init__(self, model: FaceModel, identity: Floats, key: Image, params: Params) -> None:
        """Take the key picture.

        Args:
            model: the face model.
            identity: of the face, from `FaceModel.calibrate`.
            key: the picture of the call's crop, RGB uint8 (256, 256, 3).
            params: its own fit.
        """
        self._model, self._identity = model, identity
        renderer = FaceRenderer(model, SIDE)
        home = renderer.pose(identity, params)
        self.face = brightness(key, renderer.draw(home, home).nmfc)

    def measure(self, picture: Image, params: Params) -> Floats:
        """Return a frame's mouth, shape (6,), standard deviations.

        Args:
            picture: the frame's crop, RGB uint8 (256, 256, 3).
            params: its fit.
        """
        grid = mouth_grid(self._model.points(self._identity, params))
        return measure(picture, grid, self.face)


def measure(picture: Image, grid: Floats, face: float) -> Floats:
    """Return a mouth's numbers, shape (6,), standard deviations.

    Args:
        picture: RGB uint8 (256, 256, 3).
        grid: between the lips (`mouth_grid`), picture sides.
        face: the brightness that the mouth's is compared with.
    """
    return mouth_basis().numbers(light_inside(picture, grid) / np.float32(face), opening_of(grid))


def light_inside(picture: Image, grid: Floats) -> Floats:
    """Return how light a mouth's inside is, shape (8, 9), in [0, 1]; see `measure`."""
    grey = cv2.blur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (AROUND, AROUND))
    at = inside(grid)[..., :2] * np.float32(len(picture)) - np.float32(0.5)
    found = cv2.remap(
        grey, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return found.astype(np.float32) / np.float32(255)


def brightness(picture: Image, face: Floats) -> float:
    """Return the mean brightness of a face's skin, in [0.1, 1].

    Args:
        picture: RGB uint8 (256, 256, 3).
        face: its face image, (S, S, 3), of any size.
    """
    size = face.shape[:2]
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    skin = skin_of(face)
    found = float(grey[skin].mean()) / 255 if skin.any() else 0.0
    return max(found, DARKEST)
