"""Milliseconds of every stage of a frame, on this machine.

    python -m benchmarks.speed --out OUT [--engine E] [--preset P] [--seconds S]

writes `OUT/speed.json` and `OUT/speed.png`. The demo's clip, scaled to 640x480 as a webcam
gives it, passes through the sender's and the receiver's stages in one process; `receiver_fps`
and `sender_fps` are what each side could do with nothing else running.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.clips import DEMO_CLIP
from benchmarks.packaged import fetch
from benchmarks.video import read_frames
from models.engine import Engine
from receiver.generator import Generator
from shared.command import run_command
from shared.crop import Crop
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.one_euro import OneEuroFilter
from shared.params import Frame
from shared.pictures import Image
from shared.tracker import Tracker
from shared.wire import FrameDecoder, FrameEncoder

WEBCAM = (640, 480)
CLIP_FRAMES = 100
WARM_UP = 10
FRAME_MS = 40
SENDER = ("track", "fit", "encode")
RECEIVER = ("decode", "render", "generate")


def webcam_frames(clip: Path) -> list[Image]:
    """Return the clip's first frames as a 640x480 webcam would give them."""
    frames = islice(read_frames(clip), CLIP_FRAMES)
    return [np.asarray(cv2.resize(frame, WEBCAM), np.uint8) for frame in frames]


class Stages:
    """Both ends of a call in one process, a stopwatch at every stage."""

    def __init__(self, frames: list[Image], engine: Engine) -> None:
        self._model = FaceModel.load()
        self._generator = Generator(engine, self._model)
        self._tracker = Tracker()
        points = self._tracker.track(frames[0])
        if points is None:
            raise BadInputError("the clip's first frame shows no face")
        self._crop = Crop.around(points, *WEBCAM)
        self._identity = self._model.calibrate(self._crop.to_units(points))
        self._generator.set_reference(self._crop.cut(frames[0]))
        self._encoder, self._decoder = FrameEncoder(), FrameDecoder()
        self._filter = OneEuroFilter()
        self._sequence = 0

    def run(self, image: Image) -> dict[str, float] | None:
        """Take one frame through; returns milliseconds by stage, None without a face."""
        marks = [perf_counter()]
        points = self._tracker.track(image)
        marks.append(perf_counter())
        if points is None:
            return None
        fitted = self._model.fit(self._crop.to_units(points), self._identity)
        params = self._filter.apply(fitted, self._sequence * FRAME_MS)
        marks.append(perf_counter())
        packet = self._encoder.encode([Frame(self._sequence, self._sequence * FRAME_MS, params)])
        marks.append(perf_counter())
        received = self._decoder.decode(packet)[0].params
        marks.append(perf_counter())
        geometry = self._generator.render(received)
        marks.append(perf_counter())
        self._generator.paint(*geometry)
        marks.append(perf_counter())
        self._sequence += 1
        spans = 1000 * np.diff(marks)
        times = {stage: float(span) for stage, span in zip(SENDER + RECEIVER, spans, strict=True)}
        return times | {"total": float(spans.sum())}


def measure(
    frames: list[Image], engine: Engine, seconds: float, tick: Callable[[float], None]
) -> list[dict[str, float]]:
    """Return the stages' milliseconds of each frame, for about some seconds."""
    stages, samples = Stages(frames, engine), []
    start = perf_counter()
    for number, image in enumerate(cycle(frames)):
        sample = stages.run(image)
        if sample is not None and number >= WARM_UP:
            samples.append(sample)
        tick(min(perf_counter() - start, seconds))
        if samples and perf_counter() - start > seconds:
            return samples
    return samples


def summarise(samples: list[dict[str, float]], engine: str, preset: str) -> dict[str, Any]:
    """Return the JSON of the contract."""
    stages = {
        stage: {
            "median_ms": float(np.median([sample[stage] for sample in samples])),
            "p95_ms": float(np.percentile([sample[stage] for sample in samples], 95)),
        }
        for stage in (*SENDER, *RECEIVER, "total")
    }
    rate = {
        side: 1000 / sum(stages[stage]["median_ms"] for stage in names)
        for side, names in (("sender", SENDER), ("receiver", RECEIVER))
    }
    return {
        "stages": stages,
        "receiver_fps": rate["receiver"],
        "sender_fps": rate["sender"],
        "frames": len(samples),
        "machine": machine(),
        "engine": engine,
        "preset": preset,
    }


def machine() -> str:
    """Return what the figures were measured on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def draw(path: Path, result: dict[str, Any]) -> None:
    """Write the stages as bars: medians, with lines up to p95."""
    from matplotlib.figure import Figure

    names = list(result["stages"])
    medians = [result["stages"][name]["median_ms"] for name in names]
    rest = [
        result["stages"][name]["p95_ms"] - median
        for name, median in zip(names, medians, strict=True)
    ]
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.barh(names[::-1], medians[::-1], xerr=[[0] * len(names), rest[::-1]])
    axes.set_xlabel("milliseconds a frame: median, line to p95")
    axes.set_title(f"{result['preset']}, {result['engine']}, {result['machine']}", fontsize=9)
    figure.savefig(path, dpi=120)


def main(
    out: Annotated[Path, typer.Option(help="Folder for speed.json and speed.png.")] = Path("build"),
    engine: Annotated[str, typer.Option(help="Engine that runs the generator.")] = "auto",
    preset: Annotated[str, typer.Option(help="Generator preset.")] = "lite",
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 15.0,
    clip: Annotated[Path | None, typer.Option(help="A face clip; default: the demo's.")] = None,
) -> None:
    """Measure the milliseconds of every stage of a frame."""
    out.mkdir(parents=True, exist_ok=True)
    frames = webcam_frames(clip or fetch(DEMO_CLIP, out / "clips"))
    with Progress() as progress:
        task = progress.add_task("measuring", total=seconds)
        samples = measure(
            frames,
            Engine.load(preset, engine),
            seconds,
            lambda done: progress.update(task, completed=done),
        )
    result = summarise(samples, engine, preset)
    (out / "speed.json").write_text(json.dumps(result, indent=1))
    draw(out / "speed.png", result)
    table = Table("stage", "median ms", "p95 ms")
    for name, figures in result["stages"].items():
        table.add_row(name, f"{figures['median_ms']:.2f}", f"{figures['p95_ms']:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"sender {result['sender_fps']:.0f} fps, receiver {result['receiver_fps']:.0f} fps"
    )


if __name__ == "__main__":
    run_command(main)
