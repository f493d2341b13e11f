"""A quick look at a generator on validation pairs, while it trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.augmentation import Augmentation
from models.dataset import Pairs
from models.headgan import HeadGan
from models.spade import warp

Pair = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Score:
    """Mean PSNR over RGB 0-255, decibels: frames averaged in a clip, then clips.

    Attributes:
        psnr: of the rebuilt picture.
        warped: of the reference moved by the network's flow.
        mesh: of the reference moved by the mesh displacement alone.
        copy: of showing the reference.
    """

    psnr: float
    warped: float
    mesh: float
    copy: float


def validation_pairs(pairs: Pairs, frames: int) -> list[list[Pair]]:
    """Return pairs of each clip's first picture with `frames` later ones, spread over it."""
    clips = []
    for own in pairs.images:
        chosen = own[np.linspace(1, len(own) - 1, frames).astype(int)]
        clips.append([pairs.pair(int(own[0]), int(i), Augmentation.none()) for i in chosen])
    return clips


def psnr(image: Tensor, target: Tensor) -> float:
    """Return the PSNR of an image in [-1, 1] against a target, as 8-bit pictures."""
    levels = [((x.float().clamp(-1, 1) + 1) * 127.5).round() for x in (image, target)]
    error = float((levels[0] - levels[1]).square().mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-10)))


@torch.no_grad()
def evaluate(network: HeadGan, clips: list[list[Pair]]) -> tuple[Score, list[list[Tensor]]]:
    """Return the score over validation pairs, and a row of pictures for each clip.

    A row is reference, target, mesh warp, network warp and rebuilt picture, (3, 256, 256) in
    [-1, 1], of the clip's frame that differs most from the reference.
    """
    device = next(network.parameters()).device
    scores, rows = [], []
    for clip in clips:
        batch = {name: torch.stack([pair[name] for pair in clip]).to(device) for name in clip[0]}
        reference, target = (batch[n].float() / 127.5 - 1 for n in ("reference", "target"))
        features = network.encode(reference, batch["face"])
        audio = batch["audio"] if network.preset.audio else None
        rebuilt = network(batch["faces"], batch["displacement"], reference, features, audio)
        shown = reference[:, :3]
        mesh = warp(shown, batch["displacement"])
        pictures = (rebuilt.image, rebuilt.warped, mesh, shown)
        values = np.array([[psnr(p[i], target[i]) for p in pictures] for i in range(len(clip))])
        scores.append(values.mean(axis=0))
        worst = int(values[:, 3].argmin())
        row = (shown, target, mesh, rebuilt.warped, rebuilt.image)
        rows.append([picture[worst].cpu() for picture in row])
    return Score(*(float(v) for v in np.mean(scores, axis=0))), rows
