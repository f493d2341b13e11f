"""Training pairs: a reference and a driving frame of the same person, augmented alike.

HeadGAN, section 4.1: self-reenactment, the reference being sampled from the target's own video.
Pair `i` depends on the seed and `i` alone, so that a resumed run sees the pairs that an unbroken
one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.headgan import PAST
from models.tracked import TrackedClips
from shared.crop import PICTURE_SIZE
from shared.face_image import FaceRenderer, FaceShape
from shared.face_model import FaceModel
from shared.params import Floats, Params
from shared.tracker import Image

MIN_IMAGES = 4  # a clip with fewer pictures makes no useful pairs
HARD_SHARE = 0.5  # of the pairs have the farther of two candidates: most frames look alike


@dataclass(frozen=True, slots=True)
class Augmentation:
    """A change applied to both pictures of a pair and their meshes.

    Attributes:
        matrix: shape (2, 3), in crop sides: old position to new position.
        flip: mirror left to right, before the matrix.
        gain: factor on each colour, shape (3,).
        gamma: exponent on brightness.
    """

    matrix: npt.NDArray[np.float64]
    flip: bool
    gain: npt.NDArray[np.float64]
    gamma: float

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
        matrix = np.concatenate([linear, shift[:, None]], axis=1)
        return cls(matrix, bool(random.random() < 0.5), gain, float(np.exp(random.normal(0, 0.12))))

    def image(self, image: Image) -> Image:
        """Return a picture changed, RGB uint8."""
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


class Pairs(Dataset[dict[str, Tensor]]):
    """Pairs of frames of the same clip."""

    def __init__(self, path: Path, seed: int, count: int, augment: bool = True) -> None:
        self.clips = TrackedClips.load(path)
        self.model = FaceModel.load()
        self.renderer = FaceRenderer(self.model, PICTURE_SIZE)
        self.seed, self.count, self.augment = seed, count, augment
        clip_of_image = self.clips.clip[self.clips.image_rows]
        images = [np.flatnonzero(clip_of_image == i) for i in range(len(self.clips.names))]
        self.images = [own for own in images if len(own) >= MIN_IMAGES]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return pair `index`; see `pair` for what is in it."""
        random = np.random.default_rng((self.seed, index))
        own = self.images[random.integers(len(self.images))]
        reference, driving, other = random.choice(own, 3, replace=False)
        if random.random() < HARD_SHARE and self._apart(reference, other) > self._apart(
            reference, driving
        ):
            driving = other
        augmentation = Augmentation.draw(random) if self.augment else Augmentation.none()
        return self.pair(int(reference), int(driving), augmentation)

    def pair(self, reference: int, driving: int, augmentation: Augmentation) -> dict[str, Tensor]:
        """Return one pair of pictures by their indices.

        Returns:
            `reference` and `target`, (3, 256, 256) uint8; `face` of the reference,
            (3, 256, 256); `faces` of the driving frame and two past, (9, 256, 256), and
            `displacement`, (2, 256, 256), float32.
        """
        clips = self.clips
        row, reference_row = clips.image_rows[driving], clips.image_rows[reference]
        first = int(np.searchsorted(clips.clip, clips.clip[row]))
        identity = self.model.calibrate(clips.points[reference_row])
        home = augmentation.shape(self._pose(identity, reference_row))
        # Before the clip's start the first frame stands in for the past ones.
        shapes = [
            augmentation.shape(self._pose(identity, max(row - back, first))) for back in range(PAST)
        ]
        drawn = [self.renderer.draw(shape, home) for shape in shapes]
        face = self.renderer.draw(home, home).nmfc
        return {
            "reference": _planes(augmentation.image(clips.image(reference))),
            "target": _planes(augmentation.image(clips.image(driving))),
            "face": _planes(face),
            "faces": torch.cat([_planes(image.nmfc) for image in drawn]),
            "displacement": _planes(drawn[0].displacement),
        }

    def _apart(self, one: int, other: int) -> float:
        """Return how far two pictures' points lie apart, mean square in crop sides."""
        points = self.clips.points[self.clips.image_rows[[one, other]]]
        return float(np.square(points[0] - points[1]).mean())

    def _pose(self, identity: Floats, row: int) -> FaceShape:
        params: Params = self.model.fit(self.clips.points[row], identity)
        return self.renderer.pose(identity, params)


def _planes(image: npt.NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
