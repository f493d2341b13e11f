"""Does the rebuilt head move as the real one? Both pictures are tracked and fitted again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from shared.face_model import FaceModel
from shared.params import Floats, Params
from shared.pictures import Image
from shared.tracker import Tracker

FRONTAL_DEG = 20.0  # beyond it the tracker guesses half of the face


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two fits of one face.

    Attributes:
        expression: RMS over the 28 numbers, in standard deviations of each.
        pose_deg: angle between the two rotations.
    """

    expression: float
    pose_deg: float


class Retracker:
    """Tracks one clip's pictures and compares the fit with the driving frame's."""

    def __init__(self, model: FaceModel, identity: Floats) -> None:
        self._model, self._identity = model, identity
        self._tracker = Tracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.close()

    def compare(self, picture: Image, driving: Params) -> Difference | None:
        """Return how far a picture's own fit is from the driving frame's; None without a face.

        Args:
            picture: RGB uint8 (256, 256, 3); a clip's pictures in their order.
            driving: the sender's fit.
        """
        points = self._tracker.track(picture)
        if points is None:
            return None
        return difference(
            self._model.fit(points / np.float32(len(picture)), self._identity), driving
        )


def difference(one: Params, other: Params) -> Difference:
    """Return how far two fits of one face lie apart."""
    expression = np.square(one.expression - other.expression).mean()
    return Difference(float(np.sqrt(expression)), turned_deg(one, other))


def turned_deg(one: Params, other: Params) -> float:
    """Return the angle between two heads' rotations, degrees."""
    matrices = [cv2.Rodrigues(p.camera.rotation.astype(np.float64))[0] for p in (one, other)]
    turn, _ = cv2.Rodrigues(matrices[0] @ matrices[1].T)
    return float(np.degrees(np.linalg.norm(turn)))


def is_frontal(params: Params) -> bool:
    """Say whether a head looks into the camera, within `FRONTAL_DEG`, however it is tilted."""
    rotation, _ = cv2.Rodrigues(params.camera.rotation.astype(np.float64))
    return bool(rotation[2, 2] > np.cos(np.radians(FRONTAL_DEG)))
