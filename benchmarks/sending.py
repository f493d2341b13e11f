"""The sending side of a call without the network: a clip's frames as the receiver gets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.video import read_frames
from shared.aligner import Aligner
from shared.crop import Crop
from shared.detail import Detail
from shared.detail_meter import DetailMeter
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.gated_filter import GatedFilter
from shared.params import Floats, Frame, Params
from shared.person import PersonFinder
from shared.pictures import Image
from shared.tracker import Points, Tracker
from shared.wire import FrameDecoder, FrameEncoder

FRAME_MS = 40


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame, on both sides of the wire.

    Attributes:
        picture: what the camera saw of the crop, RGB uint8 (256, 256, 3).
        points: tracked points, (478, 3), crop sides.
        identity: the caller's, calibrated on the first frame.
        tracked: the parameters fitted to the points.
        fitted: the same, put right by the picture.
        smoothed: the same after the sender's filter.
        received: those after quantisation.
        seen: what the picture shows beside them.
        detail: the same after quantisation.
        payload: bytes of the frame's packet.
        milliseconds: time spent by stage: `track`, `fit`, `align`, `detail`, `encode`, `decode`.
        number: of the frame in the clip.
    """

    picture: Image
    points: Points
    identity: Floats
    tracked: Params
    fitted: Params
    smoothed: Params
    received: Params
    seen: Detail
    detail: Detail
    payload: int
    milliseconds: dict[str, float]
    number: int = 0


def clips_in(folder: Path) -> list[Path]:
    """Return a folder's clips, by name.

    Raises:
        BadInputError: there is no such folder, or no clip in it.
    """
    clips = sorted(path for path in folder.glob("*") if path.suffix in {".mp4", ".mkv", ".webm"})
    if not clips:
        raise BadInputError(f"{folder} holds no clips (.mp4, .mkv or .webm): name another folder")
    return clips


def send(clip: Path, model: FaceModel, frames: int | None = None) -> Iterator[Sent]:
    """Yield a clip's frames that show a face, the first of them being the reference.

    Args:
        clip: a video file.
        model: the face model.
        frames: look at no more frames of the clip than this.
    """
    crop: Crop | None = None
    aligner: Aligner | None = None
    meter: DetailMeter | None = None
    encoder, decoder, gated = FrameEncoder(), FrameDecoder(), GatedFilter(model)
    with Tracker() as tracker, PersonFinder() as finder:
        for number, image in enumerate(read_frames(clip)):
            if number == frames:
                return
            start = perf_counter()
            points = tracker.track(image)
            tracked_at = perf_counter()
            if points is None:
                continue
            if crop is None:
                crop = Crop.around(points, image.shape[1], image.shape[0])
                identity = model.calibrate(crop.to_units(points))
            picture = crop.cut(image)
            fit_start = perf_counter()
            points = crop.to_units(points)
            tracked = fitted = model.fit(points, identity)
            align_start = perf_counter()
            if aligner is None or meter is None:
                aligner = Aligner(model, identity, picture, fitted)
                person = finder.find(picture)
                meter = DetailMeter(model, identity, picture, person, fitted)
            else:
                fitted = aligner.align(picture, fitted)
            align_end = perf_counter()
            smoothed = gated.apply(fitted, number * FRAME_MS)
            smooth_end = perf_counter()
            seen = meter.measure(picture, smoothed, number * FRAME_MS)
            seen_at = perf_counter()
            packet = encoder.encode([Frame(number, number * FRAME_MS, smoothed, seen)])
            encoded = perf_counter()
            received = decoder.decode(packet)[0]
            times = {
                "track": tracked_at - start,
                "fit": align_start - fit_start + smooth_end - align_end,
                "align": align_end - align_start,
                "detail": seen_at - smooth_end,
                "encode": encoded - seen_at,
                "decode": perf_counter() - encoded,
            }
            yield Sent(
                picture,
                points,
                identity,
                tracked,
                fitted,
                smoothed,
                received.params,
                seen,
                received.detail,
                len(packet),
                {stage: 1000 * seconds for stage, seconds in times.items()},
                number,
            )
