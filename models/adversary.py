"""The generator's opponent: hinge GAN and feature matching (HeadGAN, appendix B, equations 3-5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models.discriminator import Discriminators, Verdict
from models.precision import mixed
from models.presets import Preset


class Adversary:
    """The discriminators and their optimiser."""

    def __init__(self, preset: Preset, rate: float, device: torch.device) -> None:
        self.networks = Discriminators(preset).to(device)
        self.optimizer = torch.optim.Adam(self.networks.parameters(), lr=rate, betas=(0.5, 0.999))
        self._device = device

    def learn(
        self,
        image: Tensor,
        target: Tensor,
        faces: Tensor,
        rate: float,
        audio: Tensor | None = None,
    ) -> float:
        """Take one step against the generator; returns the hinge loss.

        Args:
            image: what the generator made, (N, 3, 256, 256), in [-1, 1].
            target: the driving pictures, likewise.
            faces: driving face images, (N, 9, 256, 256).
            rate: learning rate.
            audio: audio features, (N, audio), for a preset that has them.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with mixed(self._device):
            made = self.networks(image.detach(), faces, audio)
            real = self.networks(target, faces, audio)
        loss = discriminator_loss(real, made)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.detach())

    def terms(
        self, image: Tensor, target: Tensor, faces: Tensor, audio: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return what the generator pays: `adversarial` and `matching`; arguments as of `learn`."""
        self.networks.requires_grad_(False)
        made = self.networks(image, faces, audio)
        with torch.no_grad():
            real = self.networks(target, faces, audio)
        self.networks.requires_grad_(True)
        return {"adversarial": generator_loss(made), "matching": matching_loss(real, made)}


def discriminator_loss(real: list[Verdict], made: list[Verdict]) -> Tensor:
    """Return the hinge loss of the discriminators (equations 4 and 5), mean over them."""
    losses = [
        F.relu(1 - ours.realness).mean() + F.relu(1 + theirs.realness).mean()
        for ours, theirs in zip(real, made, strict=True)
    ]
    return torch.stack(losses).mean()


def generator_loss(made: list[Verdict]) -> Tensor:
    """Return the generator's adversarial loss (equation 3), mean over the discriminators."""
    return torch.stack([-verdict.realness.mean() for verdict in made]).mean()


def matching_loss(real: list[Verdict], made: list[Verdict]) -> Tensor:
    """Return the mean distance of the discriminators' features (pix2pixHD, equation 4)."""
    distances = [
        (theirs.float() - ours.float()).abs().mean()
        for one, other in zip(real, made, strict=True)
        for ours, theirs in zip(one.features, other.features, strict=True)
    ]
    return torch.stack(distances).mean()
