"""The discriminators D and D_m: is a picture, and is a mouth, a camera's or painted?

HeadGAN, section 3.3 and appendix C.2: both after SPADE's multi-scale patch discriminator, with
spectral normalisation. D sees the picture beside its face image, D_m the mouth in 64x64 pixels
(beside the audio features where the generator hears).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention
from torch.nn.utils.parametrizations import spectral_norm

from models.crops import MOUTH, corners_around, cut, part_of
from models.face_parts import FACE_CHANNELS
from models.presets import Preset
from models.spade import SLOPE, instance_norm

MOUTH_SIDE = 64
IMAGE_SCALES = 2  # as in SPADE: the picture, and the picture at half size
WIDEST = 8  # times the first layer's width


class Verdict(NamedTuple):
    """What one discriminator says of a batch.

    Attributes:
        features: of each layer, for feature matching.
        realness: (N, 1, h, w), one number a patch; above 0 it is taken for a camera's.
    """

    features: list[Tensor]
    realness: Tensor


class PatchDiscriminator(nn.Module):
    """4x4 convolutions of stride 2, the last two of stride 1 (SPADE, figure 13)."""

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        widths = [channels] + [min(width << i, WIDEST * width) for i in range(layers)]
        self.layers = nn.ModuleList(
            spectral_norm(
                nn.Conv2d(before, after, 4, stride=1 if index == layers - 1 else 2, padding=2)
            )
            for index, (before, after) in enumerate(pairwise(widths))
        )
        self.last = nn.Conv2d(widths[-1], 1, 4, padding=2)

    def forward(self, images: Tensor) -> Verdict:
        """Return the verdict on images (N, channels, H, W) in [-1, 1]."""
        features: list[Tensor] = []
        state = images
        for index, layer in enumerate(self.layers):
            state = layer(state)
            state = F.leaky_relu(instance_norm(state) if index else state, SLOPE)
            features.append(state)
        return Verdict(features, self.last(state).float())


class Discriminators(nn.Module):
    """D at two scales and D_m."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, layers = preset.discriminator
        self.image = nn.ModuleList(
            PatchDiscriminator(3 + FACE_CHANNELS, width, layers) for _ in range(IMAGE_SCALES)
        )
        self.mouth = PatchDiscriminator(3 + preset.audio, width, layers)

    def forward(self, images: Tensor, faces: Tensor, audio: Tensor | None = None) -> list[Verdict]:
        """Return the verdicts: D at full and at half size, D_m.

        Args:
            images: (N, 3, 256, 256), in [-1, 1].
            faces: driving face images, (N, 9, 256, 256), current first.
            audio: audio features, (N, audio), for a preset that has them.
        """
        seen = torch.cat([images, faces[:, :FACE_CHANNELS] * 2 - 1], dim=1)
        verdicts = []
        for scale, judge in enumerate(self.image):
            verdicts.append(judge(F.avg_pool2d(seen, 1 << scale) if scale else seen))
        mouths = cut(images, corners_around(part_of(faces, MOUTH), MOUTH_SIDE), MOUTH_SIDE)
        if audio is not None:
            heard = audio[:, :, None, None].expand(-1, -1, MOUTH_SIDE, MOUTH_SIDE)
            mouths = torch.cat([mouths, heard], dim=1)
        verdicts.append(self.mouth(mouths))
        return verdicts
