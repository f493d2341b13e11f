"""Choosing the frame a call is calibrated on: its crop, identity and origin."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import numpy as np

from sender.sources import Image, Picture, Source
from shared.crop import Crop, Points
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.params import Floats, Params
from shared.tracker import Tracker

log = logging.getLogger(__name__)

# A turned head hides half of itself, in the identity as in the reference picture.
FRONTAL_RADIANS = np.deg2rad(15)
PATIENCE_S = 5.0
# Upper lid, lower lid, and the two corners of each eye, in MediaPipe's mesh.
EYES = ((159, 145, 33, 133), (386, 374, 362, 263))
OPEN_EYE = 0.16  # lid gap over eye width


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is fixed for a call by one of its first frames.

    Attributes:
        picture: the frame.
        sequence: how many frames of the source came before it.
        crop: the square of the picture that the call is about.
        identity: the caller's identity coefficients.
        origin: the frame's own parameters.
    """

    picture: Picture
    sequence: int
    crop: Crop
    identity: Floats
    origin: Params

    @classmethod
    def on(cls, picture: Picture, sequence: int, points: Points, model: FaceModel) -> Calibration:
        """Calibrate on a frame with its tracked points (pixels)."""
        height, width = picture.image.shape[:2]
        crop = Crop.around(points, width, height)
        units = crop.to_units(points)
        identity = model.calibrate(units)
        return cls(picture, sequence, crop, identity, model.fit(units, identity))

    def reference(self) -> Image:
        """Return the frame's 256x256 crop."""
        return self.crop.cut(self.picture.image)


def find_calibration(
    source: Source, tracker: Tracker, model: FaceModel, stopping: threading.Event
) -> Calibration | None:
    """Read a source until a frame is good enough to calibrate on.

    A file's first frame with a face is taken as it is. In front of a camera somebody can look
    into it, so a frontal face with open eyes is waited for, but not for long.

    Args:
        source: read from here on; runs on the calling thread.
        tracker: follows the face.
        model: fits it.
        stopping: set from elsewhere to give up.

    Returns:
        None when told to stop.

    Raises:
        BadInputError: the source ended without a face.
    """
    seen_at: float | None = None
    sequence = 0
    while not stopping.is_set():
        picture = source.read()
        if picture is None:
            raise BadInputError(
                f"no face was found in {source.name}; give one that shows a face from the front"
                if not source.is_live
                else f"{source.name} gave no more pictures"
            )
        points = tracker.track(picture.image)
        if points is not None:
            found = Calibration.on(picture, sequence, points, model)
            seen_at = time.monotonic() if seen_at is None else seen_at
            waited = time.monotonic() - seen_at > PATIENCE_S
            if not source.is_live or waited or is_good(found.origin, points):
                return found
        sequence += 1
    return None


def is_good(params: Params, points: Points) -> bool:
    """Return whether a face looks at the camera with open eyes."""
    pitch, yaw = np.abs(params.camera.rotation[:2])
    return bool(max(pitch, yaw) < FRONTAL_RADIANS and _eyes_are_open(points))


def _eyes_are_open(points: Points) -> bool:
    for upper, lower, outer, inner in EYES:
        gap = float(np.linalg.norm(points[upper] - points[lower]))
        if gap < OPEN_EYE * float(np.linalg.norm(points[outer] - points[inner])):
            return False
    return True
