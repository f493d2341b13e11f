"""The two conditional normalisation blocks of HeadGAN: SPADE and AdaIN.

HeadGAN, section 3.3, appendix C and figure 9; SPADE after Park et al. 2019, AdaIN after Huang
and Belongie 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

SLOPE = 0.2  # LeakyReLU, from the authors' published settings


def instance_norm(features: Tensor) -> Tensor:
    """Normalise each channel of each picture, (N, C, H, W); always in float32.

    Half precision loses the small variances of flat regions.
    """
    return F.instance_norm(features.float()).to(features.dtype)


class Spade(nn.Module):
    """Normalise, then scale and shift each position by what a modulation map says there."""

    def __init__(self, channels: int, modulation: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(modulation, hidden, 3, padding=1)
        self.gamma_beta = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, features: Tensor, modulation: Tensor) -> Tensor:
        """Return modulated features.

        Args:
            features: (N, channels, H, W).
            modulation: (N, modulation, H, W).
        """
        gamma, beta = self.gamma_beta(F.relu(self.shared(modulation))).chunk(2, dim=1)
        result: Tensor = instance_norm(features) * (1 + gamma) + beta
        return result


class SpadeBlock(nn.Module):
    """Twice SPADE, LeakyReLU, convolution; the width stays (figure 9a).

    The paper has no residual connection; the small preset has one, because with a fraction of
    the width and of the training data it learns faster.
    """

    def __init__(self, channels: int, modulation: int, hidden: int, residual: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(Spade(channels, modulation, hidden) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.residual = residual

    def forward(self, features: Tensor, modulation: Tensor) -> Tensor:
        """Return features (N, channels, H, W) under a modulation map of the same size."""
        result = features
        for norm, conv in zip(self.norms, self.convs, strict=True):
            result = conv(F.leaky_relu(norm(result, modulation), SLOPE))
        return features + result if self.residual else result


class AdaIn(nn.Module):
    """Normalise, then scale and shift each channel by what a vector says (audio features)."""

    def __init__(self, channels: int, vector: int) -> None:
        super().__init__()
        self.gamma_beta = nn.Linear(vector, 2 * channels)

    def forward(self, features: Tensor, vector: Tensor) -> Tensor:
        """Return features (N, channels, H, W) under vectors (N, vector)."""
        gamma, beta = self.gamma_beta(vector)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = instance_norm(features) * (1 + gamma) + beta
        return result


class AdaInBlock(nn.Module):
    """Twice AdaIN, LeakyReLU, convolution; the width stays (figure 9b).

    With a residual connection, which the paper has not, it begins as nothing at all: a network
    that was trained without it goes on as it was.
    """

    def __init__(self, channels: int, vector: int, residual: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(AdaIn(channels, vector) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.residual = residual
        if residual:
            for parameter in self.convs[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, features: Tensor, vector: Tensor) -> Tensor:
        """Return features (N, channels, H, W) under vectors (N, vector)."""
        result = features
        for norm, conv in zip(self.norms, self.convs, strict=True):
            result = conv(F.leaky_relu(norm(result, vector), SLOPE))
        return features + result if self.residual else result


def warp(source: Tensor, flow: Tensor) -> Tensor:
    """Sample a picture or features where a flow points; always in float32.

    Args:
        source: (N, C, H, W).
        flow: (N, 2, h, w), x then y: where to sample less where the result lies, in picture
            sides; any size, resized to the source's.

    Returns:
        (N, C, H, W): ``source(position + flow)``; beyond the border the edge is repeated.
    """
    height, width = source.shape[-2:]
    if flow.shape[-2:] != source.shape[-2:]:
        flow = resize(flow, height)
    ys = (torch.arange(height, device=source.device, dtype=torch.float32) + 0.5) * (2 / height) - 1
    xs = (torch.arange(width, device=source.device, dtype=torch.float32) + 0.5) * (2 / width) - 1
    base = torch.stack([xs.expand(height, width), ys[:, None].expand(height, width)])
    grid = (base + 2 * flow.float()).permute(0, 2, 3, 1)
    warped = F.grid_sample(
        source.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return warped.to(source.dtype)


def resize(maps: Tensor, size: int) -> Tensor:
    """Return maps (N, C, H, H) at size x size: averaged when smaller, interpolated when larger."""
    factor = maps.shape[-1] // size
    if factor > 1:
        return F.avg_pool2d(maps, factor)
    if maps.shape[-1] == size:
        return maps
    return F.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)
