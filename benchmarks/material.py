"""A clip as all codecs get it: the 256x256 frames, and what the sender's tracker sees in them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sender.calibration import Calibration
from sender.sources import Picture, open_source
from shared.config import settings
from shared.crop import Crop
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.params import Floats, Frame, Params
from shared.pictures import Image
from shared.tracker import Points, Tracker


@dataclass(frozen=True, slots=True)
class Material:
    """The part of a clip that is measured; its first frame is the reference.

    Attributes:
        clip: the file.
        start_s: when its first frame with a face comes; what is before is left out.
        fps: frames a second, 25 at most.
        crop: the square that was cut from each frame.
        pictures: RGB uint8 (256, 256, 3).
        points: tracked points of each, (478, 3), crop sides; None without a face.
        frames: the frames with a face as the sender sends them, numbered as the pictures.
        identity: the caller's, calibrated on the first frame.
        origin: the first frame's parameters.
    """

    clip: Path
    start_s: float
    fps: Fraction
    crop: Crop
    pictures: list[Image]
    points: list[Points | None]
    frames: list[Frame]
    identity: Floats
    origin: Params

    @property
    def name(self) -> str:
        """What results call the clip."""
        return self.clip.stem

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return float(len(self.pictures) / self.fps)


def load(clip: Path, model: FaceModel, frames: int) -> Material:
    """Read and track a clip as a sender does, from its first frame with a face on.

    Args:
        clip: a video file.
        model: the face model.
        frames: take no more frames than this; at least 2.

    Raises:
        BadInputError: it cannot be read, or shows a face in fewer than two frames.
    """
    taken: list[tuple[Picture, Points | None]] = []
    source = open_source(str(clip), settings().max_fps, loop=False)
    try:
        with Tracker() as tracker:
            while len(taken) < frames and (picture := source.read()) is not None:
                points = tracker.track(picture.image)
                if taken or points is not None:
                    taken.append((picture, points))
    finally:
        source.close()
    if sum(points is not None for _, points in taken) < 2:
        raise BadInputError(f"{clip} shows a face in fewer than two frames: leave it out")
    return _fit(clip, taken, model)


def _fit(clip: Path, taken: list[tuple[Picture, Points | None]], model: FaceModel) -> Material:
    first, first_points = taken[0]
    assert first_points is not None
    found = Calibration.on(first, 0, first_points, model)
    crop, follower = found.crop, found.follower(model)
    pictures = [crop.cut(picture.image) for picture, _ in taken]
    units = [None if points is None else crop.to_units(points) for _, points in taken]
    frames = []
    for number, ((picture, _), points, cut) in enumerate(zip(taken, units, pictures, strict=True)):
        if points is not None:
            at_ms = round(1000 * (picture.at_s - first.at_s))
            frames.append(follower.follow(cut, points, number, at_ms))
    seconds = taken[-1][0].at_s - first.at_s
    return Material(
        clip,
        first.at_s,
        Fraction((len(taken) - 1) / seconds).limit_denominator(1001),
        crop,
        pictures,
        units,
        frames,
        found.identity,
        found.origin,
    )
