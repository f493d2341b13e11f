"""A real clip as a sender would send it, for tests that run the whole way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2

from shared.crop import Crop
from shared.face_model import FaceModel
from shared.params import Params
from shared.pictures import Image
from shared.tracker import Tracker


@dataclass(frozen=True)
class Drive:
    """Parameters of a clip's frames, and its first frame as the photograph."""

    photograph: bytes
    origin: Params
    params: list[Params]
    face_model: str


def track(clip: Path, count: int) -> Drive:
    model = FaceModel.load()
    with av.open(str(clip)) as container, Tracker() as tracker:
        images = [
            item.to_ndarray(format="rgb24")
            for item, _ in zip(container.decode(video=0), range(count), strict=False)
        ]
        height, width = images[0].shape[:2]
        points = tracker.track(images[0])
        assert points is not None
        crop = Crop.around(points, width, height)
        identity = model.calibrate(crop.to_units(points))
        tracked = [tracker.track(image) for image in images]
        fitted = [
            model.fit(crop.to_units(points), identity) for points in tracked if points is not None
        ]
    return Drive(_jpeg(images[0]), fitted[0], fitted, model.fingerprint)


def _jpeg(image: Image) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()
