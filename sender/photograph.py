"""The caller's photograph: cut from the calibration frame or read from a file."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2

from sender.sources import Image
from shared.crop import Crop
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.flaws import flaws
from shared.pictures import read_picture
from shared.tracker import Tracker

log = logging.getLogger(__name__)

MIME = "image/webp"
# About 8 KB for 256x256, a third less than at 95, and 42 dB from the picture: nearer than the
# generator comes by far.
QUALITY = 90


def encode_photograph(image: Image) -> bytes:
    """Return a picture as WebP."""
    done, data = cv2.imencode(
        ".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY]
    )
    if not done:
        raise BadInputError("the photograph could not be encoded as WebP")
    return data.tobytes()


def read_photograph(path: Path) -> bytes:
    """Return the head of a photograph as a 256x256 WebP.

    Raises:
        BadInputError: not a picture, or no face in it; the sentence says what to do.
    """
    image = read_picture(path)
    with Tracker() as tracker:
        points = tracker.track(image)
    if points is None:
        raise BadInputError(
            f"no face was found in {path}; use a photograph with one face, seen from the front "
            "and well lit"
        )
    height, width = image.shape[:2]
    crop, model = Crop.around(points, width, height), FaceModel.load()
    units = crop.to_units(points)
    for flaw in flaws(units, model.fit(units, model.calibrate(units))):
        log.warning("%s: %s; another photograph would do better", path, flaw)
    return encode_photograph(crop.cut(image))
