"""How near a face guessed beyond the last frame that came is to the one that did not come.

    python -m benchmarks.guessing CLIPS_DIR --out OUT

prints a line for each of a few ways to guess (`receiver.motion.beyond`), and writes
`OUT/guessing.json`. The error of a guess is the RMS distance of its points from those of the frame
that was sent, in percent of the eye distance, so long after the last frame as the column says; in
brackets, mean over clips, its share of the error of holding the last frame. Below 100 % a guess is
better than a held picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.results import write_result
from benchmarks.sending import FRAME_MS, Sent, clips_in, send
from receiver.motion import CAMERA_FADE_MS, EXPRESSION_FADE_MS, beyond, fades
from shared.command import run_command
from shared.face_model import FaceModel, eye_distance
from shared.params import Frame

HELD_MS = 1e-6  # a speed that fades at once
# In what time the speeds of camera and expression fade, milliseconds.
SETTINGS = [
    (HELD_MS, HELD_MS),
    (CAMERA_FADE_MS, EXPRESSION_FADE_MS),
    (60.0, 20.0),
    (60.0, 60.0),
    (100.0, 100.0),
    (150.0, 20.0),
]
LEADS = (1, 2, 4, 6, 7)  # frames
SAMPLED_FRAMES = 60  # of a clip

Errors = npt.NDArray[np.float64]


def errors(sent: list[Sent], model: FaceModel, fade: tuple[float, float]) -> Errors:
    """Return a clip's error for each lead, percent of the eye distance.

    Args:
        sent: the clip's frames; more than the longest lead and one.
        model: the face model.
        fade: of camera and expression, milliseconds.
    """
    frames = [Frame(n, n * FRAME_MS, frame.received) for n, frame in enumerate(sent)]
    last = len(frames) - LEADS[-1]
    identity, fades_ms = sent[0].identity, fades(*fade)
    squares, eyes = [], []
    for n in range(1, last, max(1, last // SAMPLED_FRAMES)):
        row = []
        for lead in LEADS:
            guess = beyond(frames[n - 1], frames[n], frames[n + lead].captured_ms, fades_ms)
            true = model.points(identity, frames[n + lead].params)
            shift = model.points(identity, guess) - true
            row.append(float(np.square(shift).sum(axis=1).mean()))
        squares.append(row)
        eyes.append(eye_distance(model.points(identity, frames[n].params)))
    return np.asarray(100 * np.sqrt(np.mean(squares, axis=0)) / np.mean(eyes), np.float64)


def measure(clips: list[list[Sent]], model: FaceModel) -> list[dict[str, object]]:
    """Return the figures of every setting; the first is to hold the last frame."""
    found = [np.array([errors(sent, model, fade) for sent in clips]) for fade in SETTINGS]
    return [
        {
            "camera_fade_ms": camera,
            "expression_fade_ms": expression,
            "error_percent": one.mean(axis=0).tolist(),
            "of_holding": (one / found[0]).mean(axis=0).tolist(),
        }
        for (camera, expression), one in zip(SETTINGS, found, strict=True)
    ]


def report(results: list[dict[str, object]]) -> Table:
    """Return the figures as a table."""
    leads = [f"{lead * FRAME_MS} ms" for lead in LEADS]
    table = Table("fades, ms", *leads, box=None)  # camera / expression
    for (camera, expression), one in zip(SETTINGS, results, strict=True):
        pairs = zip(
            np.asarray(one["error_percent"], float),
            np.asarray(one["of_holding"], float),
            strict=True,
        )
        table.add_row(
            "held" if camera == HELD_MS else f"{camera:g}/{expression:g}",
            *(f"{error:.2f} ({share:.0%})" for error, share in pairs),
        )
    return table


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for guessing.json.")] = Path("build"),
) -> None:
    """Measure guesses on a folder of clips."""
    model = FaceModel.load()
    found = [list(send(clip, model)) for clip in track(clips_in(clips), "tracking")]
    results = measure([sent for sent in found if len(sent) > LEADS[-1] + 1], model)
    out.mkdir(parents=True, exist_ok=True)
    figures = {"leads_ms": [lead * FRAME_MS for lead in LEADS], "settings": results}
    write_result(out / "guessing.json", figures)
    Console().print(report(results))


if __name__ == "__main__":
    run_command(main)
