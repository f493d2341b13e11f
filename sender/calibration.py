"""Choosing the frame a call is calibrated on: its crop, identity and origin."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from sender.sources import Image, Picture, Source
from shared.crop import Crop, Points
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.flaws import flaws
from shared.follower import Follower
from shared.params import Floats, Params
from shared.person import PersonFinder
from shared.tracker import Tracker

log = logging.getLogger(__name__)

PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is fixed for a call by one of its first frames.

    Attributes:
        picture: the frame.
        sequence: how many frames of the source came before it.
        crop: the square of the picture that the call is about.
        identity: the caller's identity coefficients.
        origin: the frame's own parameters.
        flaws: what keeps it from being a good photograph, in words.
    """

    picture: Picture
    sequence: int
    crop: Crop
    identity: Floats
    origin: Params
    flaws: tuple[str, ...] = ()

    @classmethod
    def on(cls, picture: Picture, sequence: int, points: Points, model: FaceModel) -> Calibration:
        """Calibrate on a frame with its tracked points (pixels)."""
        height, width = picture.image.shape[:2]
        crop = Crop.around(points, width, height)
        units = crop.to_units(points)
        identity = model.calibrate(units)
        origin = model.fit(units, identity)
        return cls(picture, sequence, crop, identity, origin, tuple(flaws(units, origin)))

    def reference(self) -> Image:
        """Return the frame's 256x256 crop."""
        return self.crop.cut(self.picture.image)

    def follower(self, model: FaceModel) -> Follower:
        """Return what follows the call's frames from this one on."""
        key = self.reference()
        with PersonFinder() as finder:
            person = finder.find(key)
        return Follower(model, self.identity, key, person, self.origin)


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
            if not source.is_live or waited or not found.flaws:
                return found
        sequence += 1
    return None
