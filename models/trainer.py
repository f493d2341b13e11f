"""One training run's state, and one step of it."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from models.adversary import Adversary
from models.checkpoint import held_networks, load_checkpoint, load_related, save_checkpoint
from models.exported import load_exported
from models.headgan import HeadGan, Rebuilt
from models.landmarks import LandmarkDistance
from models.losses import LossWeights, reconstruction_loss
from models.perceptual import PerceptualDistance
from models.precision import mixed
from models.presets import preset as preset_of
from models.recognition import IdentityDistance

WARMUP_STEPS = 200
DECAY_SHARE = 0.3  # the last part of a run, over which the learning rate falls to nothing
EMA_DECAY = 0.998
NEW_PARTS = "render.audio."  # what a run may have that the one it starts from had not
HEARS = "-audio"  # a preset of this name goes on from the one without
MUST = {"network", "ema", "optimizer"}  # a checkpoint without one of these is refused


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate at a step: a short warm-up, a plateau, a linear fall at the end."""
    left = (steps - step) / max(1.0, DECAY_SHARE * steps)
    return peak * min(1.0, (step + 1) / WARMUP_STEPS, max(left, 0.02))


class Trainer:
    """One run: networks, optimiser, data and where they are written."""

    def __init__(
        self,
        preset: str,
        out: Path,
        steps: int,
        rate: float,
        perceptual: Path | None,
        seed: int,
        adversarial_from: int | None = None,
        start: Path | None = None,
        keep_flow: bool = False,
        landmarks: bool = True,
        recognition: Path | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.preset, self.out, self.steps, self.rate = preset, out, steps, rate
        self.seed = seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = HeadGan(preset_of(preset)).to(self.device)
        if self.device.type == "cuda":  # on the CPU the plain layout is a fifth faster
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.network).requires_grad_(False).eval()
        # Without a gradient the optimiser leaves them as they are.
        self.network.flow.requires_grad_(not keep_flow)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate, betas=(0.5, 0.999))
        self.perceptual = PerceptualDistance(perceptual).to(self.device) if perceptual else None
        self.landmarks = LandmarkDistance().to(self.device) if landmarks else None
        self.identity = IdentityDistance(recognition).to(self.device) if recognition else None
        self.weights = LossWeights()
        self.adversarial_from = steps if adversarial_from is None else adversarial_from
        self.adversary: Adversary | None = None
        if self.adversarial_from < steps:
            self.adversary = Adversary(preset_of(preset), rate, self.device)
        self.step = 0
        if self.checkpoint.exists():
            held = held_networks(self.checkpoint)
            self.step = load_checkpoint(
                self.checkpoint,
                preset,
                {name: made for name, made in self._networks.items() if name in MUST | held},
                {name: made for name, made in self._optimizers.items() if name in MUST | held},
            )
        elif start is not None and start.is_dir():
            for network in (self.network, self.ema):
                load_exported(start, preset.removesuffix(HEARS), network, NEW_PARTS)
        elif start is not None:
            load_related(start, {"network": self.network, "ema": self.ema}, NEW_PARTS)

    @property
    def checkpoint(self) -> Path:
        """Where the run's state is kept."""
        return self.out / "checkpoint.safetensors"

    @property
    def _networks(self) -> dict[str, nn.Module]:
        networks: dict[str, nn.Module] = {"network": self.network, "ema": self.ema}
        if self.adversary:
            networks["discriminators"] = self.adversary.networks
        return networks

    @property
    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        optimizers: dict[str, torch.optim.Optimizer] = {"optimizer": self.optimizer}
        if self.adversary:
            optimizers["discriminator-optimizer"] = self.adversary.optimizer
        return optimizers

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.checkpoint, self.preset, self.step, self._networks, self._optimizers)

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take one optimiser step on a batch; returns the loss terms."""
        rate = learning_rate(self.step, self.steps, self.rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # What is drawn depends on the step alone: a resumed run draws what an unbroken one does.
        torch.manual_seed(self.seed + self.step)
        batch = {name: value.to(self.device) for name, value in batch.items()}
        target, faces = to_signed(batch["target"]), batch["faces"]
        with mixed(self.device):
            rebuilt = only_judged(rebuild(self.network, batch), target, batch["judged"])
        # The adversary goes first: the generator then meets the one that has just learned.
        adversary = self.adversary if self.step >= self.adversarial_from else None
        audio = batch["audio"] if self.network.preset.audio else None
        won = adversary.learn(rebuilt.image, target, faces, rate, audio) if adversary else None
        with mixed(self.device):
            loss, terms = reconstruction_loss(
                rebuilt,
                target,
                faces,
                self.perceptual,
                self.weights,
                adversary,
                audio,
                self.landmarks,
                self.identity,
            )
        if won is not None:
            terms["discriminator"] = won
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        return terms

    def _average(self) -> None:
        decay = min(EMA_DECAY, self.step / (self.step + 10))
        with torch.no_grad():
            for ours, theirs in zip(self.ema.parameters(), self.network.parameters(), strict=True):
                ours.lerp_(theirs, 1 - decay)


def to_signed(images: Tensor) -> Tensor:
    """Return uint8 images in [-1, 1]."""
    return images.float() / 127.5 - 1


def rebuild(network: HeadGan, batch: dict[str, Tensor]) -> Rebuilt:
    """Run the generator on a batch of `models.dataset.Pairs`."""
    reference = to_signed(batch["reference"])
    features = network.encode(reference, batch["face"])
    audio = batch["audio"] if network.preset.audio else None
    rebuilt: Rebuilt = network(batch["faces"], batch["displacement"], reference, features, audio)
    return rebuilt


def only_judged(rebuilt: Rebuilt, target: Tensor, judged: Tensor) -> Rebuilt:
    """Return what was rebuilt with the target itself where it is not judged (no gradient there)."""
    image, painted, warped = (
        torch.where(judged, picture.float(), target)
        for picture in (rebuilt.image, rebuilt.painted, rebuilt.warped)
    )
    return Rebuilt(image, painted, warped, rebuilt.flow)
