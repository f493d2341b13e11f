"""Data preparation: every clip and photograph tracked once, into one file.

    python -m models.prepare ../shared/data --out build

writes `tracked-train.npz` (training clips and photographs) and `tracked-val.npz`. Images are
256x256 JPEGs, a bounded number a clip; points are kept for every frame, so that the expression
basis sees all motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import av
import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.progress import Progress

from models.soundtrack import Kept, Soundtrack, keep, kept_silence
from models.tracked import POINT_SCALE
from shared.aligner import Aligner
from shared.command import run_command
from shared.crop import Crop
from shared.detail import Detail
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.iris_meter import IrisMeter
from shared.layers import Mask
from shared.mouth_meter import MouthMeter
from shared.params import Floats, Params
from shared.person import PersonFinder
from shared.sway import still
from shared.sway_meter import SwayMeter
from shared.tracker import Image, Points, Tracker

JPEG_QUALITY = 92
LEVEL_STEP = 17  # of a mask's 16 levels: a third of the bytes


@dataclass
class Tracked:
    """One clip or photograph, tracked, in units of its crop.

    Attributes:
        name: file name without its ending.
        points: shape (N, 478, 3), float32, crop sides; every frame with a face, in order.
        times: shape (N,), frame numbers in the clip; gaps are frames without a face.
        images: JPEG files of some frames, by row of `points`.
        people: PNG files of where the person is in each of these, by the same rows.
        sounds: features of the sound at each of these (`shared.sound_features`), in 8 bits, by
            the same rows; one without is silent.
        details: what each frame showed beside its fit; empty where nobody measured it.
    """

    name: str
    points: list[Points] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    images: dict[int, bytes] = field(default_factory=dict)
    people: dict[int, bytes] = field(default_factory=dict)
    sounds: dict[int, Kept] = field(default_factory=dict)
    details: list[Detail] = field(default_factory=list)

    def add_picture(self, picture: Image, person: Mask, sound: Kept | None = None) -> None:
        """Keep a picture of the frame whose points come next; None is silence."""
        self.images[len(self.points)] = encode(picture)
        self.people[len(self.points)] = encode_mask(person)
        if sound is not None:
            self.sounds[len(self.points)] = sound


class Meters:
    """Measures a clip's frames as a sender does, with all their tremble.

    Attributes:
        first: what the first frame shows beside its points.
    """

    def __init__(self, model: FaceModel, key: Image, person: Mask, points: Points) -> None:
        """Take the first frame's picture, the person in it and its points."""
        self._model, self._identity = model, model.calibrate(points)
        fitted = model.fit(points, self._identity)
        self._aligner = Aligner(model, self._identity, key, fitted)
        self._sway = SwayMeter(model, self._identity, key, person, fitted)
        self._mouth = MouthMeter(model, self._identity, key, fitted)
        self._iris = IrisMeter(self._mouth.face)
        self.first = self._detail(key, points, fitted, still())

    def follow(self, picture: Image, points: Points) -> tuple[Points, Detail]:
        """Return a later frame's points, aligned, and what it shows beside them."""
        points = self._aligner.correct(picture, points)
        fitted = self._model.fit(points, self._identity)
        sway = self._sway.measure(picture, fitted)
        return points, self._detail(picture, points, fitted, sway)

    def _detail(self, picture: Image, points: Points, fitted: Params, sway: Floats) -> Detail:
        mouth = self._mouth.measure(picture, fitted)
        return Detail(sway, mouth, self._iris.measure(picture, points))


def clip_frames(path: Path) -> Iterator[Image]:
    """Yield the frames of a clip, RGB uint8 (H, W, 3)."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def frame_times(path: Path) -> list[float]:
    """Return when each video frame of a clip is shown, seconds, in the order they are shown."""
    with av.open(str(path)) as container:
        return sorted(
            float(packet.pts * packet.time_base)
            for packet in container.demux(video=0)
            if packet.pts is not None and packet.time_base is not None
        )


def track_clip(path: Path, images: int, finder: PersonFinder, model: FaceModel) -> Tracked:
    """Track a clip as a sender does, keeping at most `images` of its frames as pictures."""
    tracked = Tracked(path.stem)
    times, track = frame_times(path), Soundtrack.read(path)
    stride = max(1.0, len(times) / images)
    crop, meters, due = None, None, 0.0
    with Tracker() as tracker:
        for number, frame in enumerate(clip_frames(path)):
            points = tracker.track(frame)
            if points is None:
                continue
            crop = crop or Crop.around(points, frame.shape[1], frame.shape[0])
            picture, points = crop.cut(frame), crop.to_units(points)
            if meters is None:
                meters = Meters(model, picture, finder.find(picture), points)
                detail = meters.first
            else:
                points, detail = meters.follow(picture, points)
            if number >= due:
                at_s = times[min(number, len(times) - 1)]
                sound = keep(track.features(at_s))
                tracked.add_picture(picture, finder.find(picture), sound)
                due += stride
            tracked.points.append(points)
            tracked.times.append(number)
            tracked.details.append(detail)
    return tracked


def track_photo(path: Path, tracker: Tracker, finder: PersonFinder) -> Tracked:
    """Track one photograph; without a face the result is empty."""
    tracked = Tracked(path.stem)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        return tracked
    tracker.reset()
    picture = np.asarray(image, np.uint8)
    points = tracker.track(picture)
    if points is not None:
        crop = Crop.around(points, picture.shape[1], picture.shape[0])
        cut = crop.cut(picture)
        tracked.add_picture(cut, finder.find(cut))
        tracked.points.append(crop.to_units(points))
        tracked.times.append(0)
        tracked.details.append(Detail.none())
    return tracked


def encode(image: Image) -> bytes:
    """Return an RGB picture as a JPEG file."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
    return data.tobytes()


def encode_mask(mask: Mask) -> bytes:
    """Return a mask as a PNG file of half its size and 16 levels."""
    height, width = mask.shape
    small = cv2.resize(mask, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    levels = np.rint(small / np.float32(LEVEL_STEP)) * LEVEL_STEP
    return cv2.imencode(".png", levels.astype(np.uint8))[1].tobytes()


def save(path: Path, items: list[Tracked]) -> None:
    """Write tracked clips as one file of plain arrays (see `models.tracked` for the reader)."""
    blobs = [blob for item in items for blob in item.images.values()]
    masks = [mask for item in items for mask in item.people.values()]
    silence = kept_silence(1)[0]
    sounds = [item.sounds.get(row, silence) for item in items for row in item.images]
    details = [detail for item in items for detail in _details(item)]
    rows: list[int] = []
    base = 0
    for item in items:
        rows += [base + row for row in item.images]
        base += len(item.points)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "names": np.array([item.name for item in items]),
        "points": np.round(np.concatenate([np.stack(item.points) for item in items]) * POINT_SCALE)
        .clip(-32768, 32767)
        .astype(np.int16),
        "times": np.concatenate([item.times for item in items]).astype(np.int32),
        "sways": np.array([detail.sway for detail in details], np.float16),
        "mouths": np.array([detail.mouth for detail in details], np.float16),
        "irises": np.array([detail.iris for detail in details], np.float16),
        "lengths": np.array([len(item.points) for item in items], np.int32),
        "image_rows": np.array(rows, np.int32),
        "image_bytes": np.frombuffer(b"".join(blobs), np.uint8),
        "image_sizes": np.array([len(blob) for blob in blobs], np.int32),
        "person_bytes": np.frombuffer(b"".join(masks), np.uint8),
        "person_sizes": np.array([len(mask) for mask in masks], np.int32),
        "sounds": np.array(sounds, np.uint8),
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stub wants allow_pickle typed


def _details(item: Tracked) -> list[Detail]:
    return item.details or [Detail.none()] * len(item.points)


def main(
    data: Annotated[Path, typer.Argument(help="Folder with train/, val/ and photos/.")],
    out: Annotated[Path, typer.Option(help="Folder the two files go to.")] = Path("build"),
    images: Annotated[int, typer.Option(help="Pictures kept of a clip, at most.")] = 90,
) -> None:
    """Track every clip and photograph in a data folder."""
    train = sorted((data / "train").glob("*.mp4"))
    val = sorted((data / "val").glob("*.mp4"))
    photos = sorted((data / "photos").glob("*.jpg"))
    if not train or not val:
        raise BadInputError(f"{data} has no train/*.mp4 and val/*.mp4: name the data folder")
    out.mkdir(parents=True, exist_ok=True)
    model = FaceModel.load()
    with Progress() as progress, Tracker() as tracker, PersonFinder() as finder:
        task = progress.add_task("tracking", total=len(train) + len(val) + len(photos))
        for name, clips in (("train", train), ("val", val)):
            items = []
            for clip in clips:
                items.append(track_clip(clip, images, finder, model))
                progress.advance(task)
            if name == "train":
                for photo in photos:
                    items.append(track_photo(photo, tracker, finder))
                    progress.advance(task)
            save(out / f"tracked-{name}.npz", [item for item in items if item.points])


if __name__ == "__main__":
    run_command(main)
