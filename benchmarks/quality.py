"""How good the rebuilt picture is on a folder of clips, offline and without the network's losses.

    python -m benchmarks.quality CLIPS_DIR --out OUT

prints a table, and writes `OUT/quality.json` and the contact sheet `OUT/quality.png` (reference,
driving frame, mesh warp, rebuilt; each clip's median frame and its worst). Every frame passes
through the real sender's fit, the wire's bytes and the receiver's generator. The clip's first
frame is the reference; PSNR is taken over RGB 0-255 a frame, averaged over frames, then clips.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.sending import clips_in, send
from models.engine import Engine
from receiver.generator import Generator
from shared.command import run_command
from shared.crop import PICTURE_SIZE
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel, adapt
from shared.mesh_warp import mesh_warp
from shared.metrics import psnr, ssim
from shared.pictures import Image

COLUMNS = ("frames", "psnr", "ssim", "copy_psnr", "mesh_warp_psnr")


def measure(
    clip: Path, model: FaceModel, generator: Generator, frames: int | None
) -> tuple[dict[str, Any], list[list[Image]]]:
    """Return one clip's figures and two rows of pictures: its median frame and its worst."""
    renderer = FaceRenderer(model, PICTURE_SIZE)
    rows: list[tuple[float, ...]] = []
    pictures: list[list[Image]] = []
    for sent in send(clip, model, frames):
        if not rows:
            reference = generator.set_reference(sent.picture)
            origin, home = sent.fitted, renderer.pose(sent.identity, sent.fitted)
        rebuilt = generator.generate(adapt(sent.received, origin, generator.reference_params))
        drawn = renderer.draw(renderer.pose(sent.identity, sent.received), home)
        warped = mesh_warp(reference, drawn.displacement)
        rows.append(
            (
                psnr(sent.picture, rebuilt),
                ssim(sent.picture, rebuilt),
                psnr(sent.picture, reference),
                psnr(sent.picture, warped),
            )
        )
        pictures.append([reference, sent.picture, warped, rebuilt])
    means = np.mean(rows, axis=0)
    result = {"clip": clip.stem, "frames": len(rows)}
    result |= {name: float(value) for name, value in zip(COLUMNS[1:], means, strict=True)}
    order = np.argsort([row[0] for row in rows])
    return result, [pictures[order[len(order) // 2]], pictures[order[0]]]


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for quality.json and .png.")] = Path("build"),
    preset: Annotated[str, typer.Option(help="Generator preset.")] = "lite",
    frames: Annotated[int | None, typer.Option(help="Frames of each clip, at most.")] = None,
) -> None:
    """Measure picture quality on a folder of clips."""
    model = FaceModel.load()
    generator = Generator(Engine.load(preset), model)
    results, sheet = [], []
    for clip in track(clips_in(clips), "rebuilding"):
        result, rows = measure(clip, model, generator, frames)
        results.append(result)
        sheet += [np.concatenate(row, axis=1) for row in rows]
    mean = {key: float(np.mean([result[key] for result in results])) for key in COLUMNS}
    out.mkdir(parents=True, exist_ok=True)
    (out / "quality.json").write_text(
        json.dumps({"preset": preset, "clips": results, "mean": mean}, indent=1)
    )
    cv2.imwrite(str(out / "quality.png"), cv2.cvtColor(np.concatenate(sheet), cv2.COLOR_RGB2BGR))
    table = Table("clip", *COLUMNS)
    for result in [*results, {"clip": "mean", **mean}]:
        values = [
            f"{result[key]:.3g}" if key == "ssim" else f"{result[key]:.2f}" for key in COLUMNS
        ]
        table.add_row(result["clip"], *values)
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
