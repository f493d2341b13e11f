"""Both ends of a call in one process, a stopwatch at every stage of a frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from benchmarks.video import read_frames
from models.engine import Engine
from receiver.generator import Generator
from sender.calibration import Calibration
from sender.sources import Picture
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.params import Frame
from shared.pictures import Image
from shared.tracker import Tracker
from shared.wire import FrameDecoder, FrameEncoder

WEBCAM = (640, 480)
CLIP_FRAMES = 100
WARM_UP = 10
# Each turn of a combination begins with caches full of another's.
SETTLE = 2
ROUNDS = 8
RATE_SHARE = 0.3  # of a turn: frames at the receiver as in a call, several at a time
FRAME_MS = 40
SENDER = ("track", "fit", "encode")
RECEIVER = ("decode", "render", "generate")

Times = dict[str, float]


def webcam_frames(clip: Path) -> list[Image]:
    """Return the clip's first frames as a 640x480 webcam would give them."""
    frames = islice(read_frames(clip), CLIP_FRAMES)
    return [np.asarray(cv2.resize(frame, WEBCAM), np.uint8) for frame in frames]


class Stages:
    """Takes frames all the way, one after the other.

    Attributes:
        packet: the newest frame's packet.
    """

    def __init__(self, frames: Sequence[Image], engine: Engine) -> None:
        self._model = FaceModel.load()
        self._generator = Generator(engine, self._model)
        self._tracker = Tracker()
        points = self._tracker.track(frames[0])
        if points is None:
            raise BadInputError("the clip's first frame shows no face")
        found = Calibration.on(Picture(frames[0], 0.0), 0, points, self._model)
        self._crop, self._follower = found.crop, found.follower(self._model)
        self._generator.set_reference(found.reference())
        self._received = Frame(0, 0, self._generator.reference_params)
        self._encoder, self._decoder = FrameEncoder(), FrameDecoder()
        self._sequence = 0
        self.packet = b""

    def rate(self, seconds: float) -> float:
        """Return the pictures a second that a receiver makes, as many at a time as in a call."""
        frame, generator = self._received, self._generator
        under_way: deque[Future[Image]] = deque()
        made, start = 0, perf_counter()
        with ThreadPoolExecutor(generator.lanes) as lanes:
            while made == 0 or perf_counter() - start < seconds:
                if len(under_way) == generator.lanes:
                    under_way.popleft().result()
                    made += 1
                under_way.append(
                    lanes.submit(generator.paint, *generator.render(frame.params, frame.detail))
                )
        return (made + len(under_way)) / (perf_counter() - start)

    def run(self, image: Image) -> Times | None:
        """Take one frame through; returns milliseconds by stage, None without a face."""
        marks = [perf_counter()]
        points = self._tracker.track(image)
        marks.append(perf_counter())
        if points is None:
            return None
        frame = self._follower.follow(
            self._crop.cut(image),
            self._crop.to_units(points),
            self._sequence,
            self._sequence * FRAME_MS,
        )
        marks.append(perf_counter())
        self.packet = self._encoder.encode([frame])
        marks.append(perf_counter())
        received = self._received = self._decoder.decode(self.packet)[0]
        marks.append(perf_counter())
        geometry = self._generator.render(received.params, received.detail)
        marks.append(perf_counter())
        self._generator.paint(*geometry)
        marks.append(perf_counter())
        self._sequence += 1
        spans = 1000 * np.diff(marks)
        times = {stage: float(span) for stage, span in zip(SENDER + RECEIVER, spans, strict=True)}
        return times | {"total": float(spans.sum())}


@dataclass(slots=True)
class Combination:
    """An engine with a preset, and what was measured of it.

    Attributes:
        engine: as asked for.
        preset: as asked for.
        engine_name: what really runs.
        rounds: for each of its turns, every frame's milliseconds by stage.
        rates: for each of its turns, pictures a second of the receiver.
    """

    engine: str
    preset: str
    engine_name: str = ""
    rounds: list[list[Times]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def measure(
    frames: Sequence[Image],
    combinations: Sequence[Combination],
    seconds: float,
    tick: Callable[[], None],
) -> list[bytes]:
    """Fill in the rounds of combinations, which take turns: what disturbs then disturbs all.

    Args:
        frames: of a webcam; shown again and again.
        combinations: what to measure.
        seconds: how long each is measured, about.
        tick: called after every turn of one of them, ROUNDS times each.

    Returns:
        The packets of frames, for measuring their way.

    Raises:
        BadInputError: an engine or preset is not there, or no face.
    """
    turns = []
    for one in combinations:
        engine = Engine.load(one.preset, one.engine)
        one.engine_name = engine.name
        stages, pictures = Stages(frames, engine), cycle(frames)
        for image in islice(pictures, WARM_UP):
            stages.run(image)
        turns.append((one, stages, pictures))
    packets: list[bytes] = []
    for _ in range(ROUNDS):
        for one, stages, pictures in turns:
            samples: list[Times] = []
            taken, start = 0, perf_counter()
            while not samples or perf_counter() - start < (1 - RATE_SHARE) * seconds / ROUNDS:
                times = stages.run(next(pictures))
                if taken >= SETTLE and times is not None:
                    samples.append(times)
                    packets = [*packets[-CLIP_FRAMES:], stages.packet]
                taken += 1
                if taken > 2 * len(frames) and not samples:
                    raise BadInputError("the clip loses the face: name one that shows it")
            one.rounds.append(samples)
            one.rates.append(stages.rate(RATE_SHARE * seconds / ROUNDS))
            tick()
    return packets


def figures(rounds: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return median and p95 of a stage, over all frames and for each round.

    Args:
        rounds: milliseconds of the frames of each round.
    """
    together = np.concatenate([np.asarray(one) for one in rounds])
    return {
        "median_ms": float(np.median(together)),
        "p95_ms": float(np.percentile(together, 95)),
        "median_ms_each": [float(np.median(one)) for one in rounds],
        "p95_ms_each": [float(np.percentile(one, 95)) for one in rounds],
    }
