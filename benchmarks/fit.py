"""How well 28 + 7 numbers give the tracked points back, and what their bytes cost.

    python -m benchmarks.fit CLIPS_DIR --out OUT

prints a table, and writes `OUT/fit.json` and `OUT/fit.png`. Errors are root mean squares over
all coordinates of all points, in percent of the distance between the eyes' centres; identity is
taken from each clip's first frame only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.results import write_result
from benchmarks.sending import clips_in, send
from shared.command import run_command
from shared.face_model import FaceModel, eye_distance

COLUMNS = {
    "frames": "frames",
    "fit_percent": "fit error %",
    "worst_percent": "worst frame %",
    "added_percent": "added by wire %",
    "payload_bytes": "bytes/frame",
    "track_ms": "track ms",
    "fit_ms": "fit ms",
}


def measure(clip: Path, model: FaceModel, frames: int | None) -> dict[str, Any]:
    """Return one clip's figures; see `COLUMNS`."""
    errors, added, eyes, payload, track_ms, fit_ms = [], [], [], [], [], []
    for sent in send(clip, model, frames):
        rebuilt = model.points(sent.identity, sent.tracked)
        smoothed = model.points(sent.identity, sent.smoothed)
        received = model.points(sent.identity, sent.received)
        errors.append(float(np.square(rebuilt - sent.points).mean()))
        added.append(float(np.square(received - smoothed).mean()))
        eyes.append(eye_distance(sent.points))
        payload.append(sent.payload)
        track_ms.append(sent.milliseconds["track"])
        fit_ms.append(sent.milliseconds["fit"])
    eye = float(np.mean(eyes))
    return {
        "clip": clip.stem,
        "frames": len(errors),
        "fit_percent": 100 * float(np.sqrt(np.mean(errors))) / eye,
        "worst_percent": 100 * float(np.sqrt(np.max(errors))) / eye,
        "added_percent": 100 * float(np.sqrt(np.mean(added))) / eye,
        "payload_bytes": float(np.mean(payload)),
        "track_ms": float(np.median(track_ms)),
        "fit_ms": float(np.median(fit_ms)),
    }


def draw(path: Path, clips: list[dict[str, Any]]) -> None:
    """Write the errors as bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(clips))
    axes.bar(places - 0.2, [clip["fit_percent"] for clip in clips], 0.4, label="fit")
    axes.bar(places + 0.2, [clip["added_percent"] for clip in clips], 0.4, label="added by wire")
    axes.axhline(0.5, color="0.4", linestyle="--", linewidth=1, label="limit of the fit")
    axes.set_xticks(places, [clip["clip"] for clip in clips], rotation=30, ha="right")
    axes.set_ylabel("RMS error, % of eye distance")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for fit.json and fit.png.")] = Path("build"),
    frames: Annotated[int | None, typer.Option(help="Frames of each clip, at most.")] = None,
) -> None:
    """Measure fit error, wire error and payload on a folder of clips."""
    model = FaceModel.load()
    results = [measure(clip, model, frames) for clip in track(clips_in(clips), "fitting")]
    mean = {key: float(np.mean([result[key] for result in results])) for key in COLUMNS}
    out.mkdir(parents=True, exist_ok=True)
    write_result(out / "fit.json", {"clips": results, "mean": mean})
    draw(out / "fit.png", results)
    table = Table("clip", *COLUMNS.values())
    for result in [*results, {"clip": "mean", **mean}]:
        values = [
            f"{result[key]:.0f}" if key == "frames" else f"{result[key]:.3f}" for key in COLUMNS
        ]
        table.add_row(result["clip"], *values)
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
