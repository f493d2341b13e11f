"""Strong augmentation: the same change on both pictures of a pair and on their meshes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from shared.face_image import FaceShape
from shared.pictures import Image

GREY_SHARE = 0.08  # of the pairs are black and white, as some photographs are
# Of the pairs are taken by the light of a lamp or of the sky: what the network paints, teeth first,
# must take its colour from the picture.
TINTED_SHARE = 0.25
TINT = 0.35  # standard deviation of how much warmer the light is: blue's loss, logarithmic
TINT_RGB = np.array([0.3, 0.0, -1.0])


@dataclass(frozen=True, slots=True)
class Augmentation:
    """A change applied to both pictures of a pair and their meshes.

    Attributes:
        matrix: shape (2, 3), in crop sides: old position to new position.
        flip: mirror left to right, before the matrix.
        gain: factor on each colour, shape (3,).
        gamma: exponent on brightness.
        saturation: factor on the distance from grey; 0 is a black-and-white picture.
    """

    matrix: npt.NDArray[np.float64]
    flip: bool
    gain: npt.NDArray[np.float64]
    gamma: float
    saturation: float = 1.0

    @classmethod
    def none(cls) -> Augmentation:
        """Return the augmentation that changes nothing."""
        return cls(np.eye(2, 3), False, np.ones(3), 1.0)

    @classmethod
    def draw(cls, random: np.random.Generator) -> Augmentation:
        """Return a random one."""
        zoom, angle = np.exp(random.uniform(-0.18, 0.18)), random.normal(0, 0.08)
        linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = 0.5 - linear @ [0.5, 0.5] + random.uniform(-0.07, 0.07, 2)
        gain = np.exp(random.normal(0, 0.12)) * np.exp(random.normal(0, 0.05, 3))
        if random.random() < TINTED_SHARE:
            gain = gain * np.exp(random.normal(0, TINT) * TINT_RGB)
        matrix = np.concatenate([linear, shift[:, None]], axis=1)
        flip, gamma = bool(random.random() < 0.5), float(np.exp(random.normal(0, 0.12)))
        grey = random.random() < GREY_SHARE
        saturation = 0.0 if grey else float(np.exp(random.normal(0, 0.2)))
        return cls(matrix, flip, gain, gamma, saturation)

    def place(self, image: Image) -> Image:
        """Return a picture or a mask mirrored and moved, its values unchanged."""
        if self.flip:
            image = np.ascontiguousarray(image[:, ::-1])
        if not np.array_equal(self.matrix, np.eye(2, 3)):
            size = image.shape[0]
            matrix = self.matrix.copy()
            centre = np.full(2, 0.5)  # pixel centres lie at half pixels
            matrix[:, 2] = matrix[:, 2] * size + matrix[:, :2] @ centre - centre
            image = np.asarray(
                cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
            )
        return image

    def image(self, image: Image) -> Image:
        """Return a picture changed, RGB uint8."""
        image = self.place(image)
        if self.saturation != 1:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = np.asarray(
                cv2.addWeighted(image, self.saturation, grey, 1 - self.saturation, 0), np.uint8
            )
        levels = np.arange(256)[:, None] / 255
        table = 255 * np.clip(levels**self.gamma * self.gain, 0, 1)
        return np.asarray(cv2.LUT(image, table.astype(np.uint8)[:, None]), np.uint8)

    def shape(self, shape: FaceShape) -> FaceShape:
        """Return a posed face changed in the same way."""
        points = shape.points.copy()
        if self.flip:
            points[:, 0] = 1 - points[:, 0]
        linear = self.matrix[:, :2]
        points[:, :2] = points[:, :2] @ linear.T + self.matrix[:, 2]
        points[:, 2] *= np.sqrt(abs(np.linalg.det(linear)))
        return FaceShape(points.astype(np.float32))
