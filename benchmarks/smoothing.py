"""What the sender's filter takes from the tremble of the 35 numbers, and what it costs in delay.

    python -m benchmarks.smoothing CLIPS_DIR --out OUT

prints a line for each of a few settings, and writes `OUT/smoothing.json`. Tremble is the mean
change from frame to frame, in quantiser steps, over the quarter of a clip's steps in which the
face moves least; delay is the shift at which the filtered numbers fit the same numbers, smoothed
with a Gaussian of one frame that looks both ways. What is left of blinks and syllables is the slope
of how far eyes and mouth are open after the filter over before it. Means over clips.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.results import write_result
from benchmarks.sending import FRAME_MS, clips_in, send
from shared.command import run_command
from shared.face_model import FaceModel
from shared.gate import MOVED_STEPS, STILL_SHARE
from shared.gated_filter import OPENING, GatedFilter
from shared.openings import openings_by_expression
from shared.params import EXPRESSION_SIZE, Params
from shared.wire_table import wire_table

NAMES = ("still_share", "moved_steps", "opening")
SETTINGS = [
    (STILL_SHARE, MOVED_STEPS, OPENING), (0.1, 5.0, OPENING), (0.3, 5.0, OPENING),
    (0.15, 2.5, OPENING), (0.15, 10.0, OPENING), (0.15, 5.0, 0.01), (0.15, 5.0, 0.03),
    (0.15, 5.0, 1.0),
]  # fmt: skip
CALM = 0.25  # of a clip's steps, those in which the face moves least
SHIFTS = np.arange(0.0, 3.0, 0.1)  # frames

Series = npt.NDArray[np.float64]


def series(frames: list[Params]) -> Series:
    """Return frames as rows of 35 numbers, in quantiser steps."""
    return np.array([frame.to_vector() for frame in frames], np.float64) / wire_table().steps


def filtered(frames: list[Params], gated: GatedFilter) -> Series:
    """Return what a filter makes of frames at 25 a second."""
    return series([gated.apply(frame, n * FRAME_MS) for n, frame in enumerate(frames)])


def height_left(rows: Series, raw: Series, opens: Series) -> float:
    """Return how much of what eyes and mouth do is left, 1 being all of it.

    Args:
        rows: filtered numbers, (N, 35), quantiser steps.
        raw: the same before.
        opens: by how much a step of each expression number opens each of the three, (3, 28).
    """
    after, before = ((part[:, :EXPRESSION_SIZE] @ opens.T) for part in (rows, raw))
    slopes = [np.polyfit(before[:, i], after[:, i], 1)[0] for i in range(len(opens))]
    return float(np.mean(slopes))


def smooth(rows: Series, sigma: float) -> Series:
    """Return rows smoothed along time, looking both ways."""
    size = 2 * round(4 * sigma) + 1
    blurred = cv2.GaussianBlur(rows, (1, size), sigmaX=sigma, sigmaY=sigma)
    return np.asarray(blurred, np.float64)


def tremble(rows: Series, raw: Series) -> float:
    """Return the mean change where the face, as it was tracked, moves least; steps a frame."""
    moved = np.abs(np.diff(smooth(raw, 3.0), axis=0)).mean(axis=1)
    still = np.argsort(moved, kind="stable")[: max(1, round(CALM * len(moved)))]
    return float(np.abs(np.diff(rows, axis=0))[still].mean())


def delay_ms(rows: Series, raw: Series) -> float:
    """Return by how much rows come after the numbers they stand for, milliseconds."""
    wanted, times = smooth(raw, 1.0), np.arange(len(raw))
    errors = [
        np.mean([
            np.square(np.interp(times - shift, times, wanted[:, i]) - rows[:, i]).mean()
            for i in range(rows.shape[1])
        ])
        for shift in SHIFTS
    ]  # fmt: skip
    return float(SHIFTS[int(np.argmin(errors))] * FRAME_MS)


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for smoothing.json.")] = Path("build"),
) -> None:
    """Measure the filter on a folder of clips."""
    model = FaceModel.load()
    found = [
        [sent.fitted for sent in send(clip, model)] for clip in track(clips_in(clips), "tracking")
    ]
    raw = [series(frames) for frames in found]
    before = float(np.mean([tremble(rows, rows) for rows in raw]))
    opens = openings_by_expression(model) * wire_table().steps[:EXPRESSION_SIZE]
    results = []
    table = Table(*NAMES, "tremble", "of unfiltered", "delay, ms", "blinks and syllables")
    for setting in SETTINGS:
        pairs = [(filtered(own, GatedFilter(model, None, *setting)), series(own)) for own in found]
        left = float(np.mean([tremble(*pair) for pair in pairs]))
        delay = float(np.mean([delay_ms(*pair) for pair in pairs]))
        height = float(np.mean([height_left(*pair, opens) for pair in pairs]))
        figures = {"tremble": left, "delay_ms": delay, "height_left": height}
        results.append(dict(zip(NAMES, setting, strict=True)) | figures)
        table.add_row(
            *(f"{value:g}" for value in setting),
            f"{left:.2f}", f"{left / before:.0%}", f"{delay:.0f}", f"{height:.0%}",
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    report = {"unfiltered_tremble": before, "settings": results}
    write_result(out / "smoothing.json", report)
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
