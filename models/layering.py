"""The reference in layers (`shared.layers`), moved: a person over a backdrop that stands still."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models.spade import resize

MOVED_CHANNELS = 4  # of the reference's layers: the picture and where the person is
# Picture sides: how far beyond the reference's border a person goes on, above it and beside it. A
# head that was cut off ends soon; repeated, its edge would stand there as a column. Below it the
# body goes on.
ABOVE, BESIDE = 0.05, 0.2


def enlarge(reference: Tensor) -> Tensor:
    """Return what moves of a reference's layers, with a pixel more between each two.

    Sampled along straight lines between its own pixels, a picture loses sharpness.

    Args:
        reference: (N, 7, S, S), in [-1, 1].

    Returns:
        (N, 4, 2 S - 1, 2 S - 1), in [-1, 1].
    """
    moved, side = reference[:, :MOVED_CHANNELS].float(), 2 * reference.shape[-1] - 1
    large = F.interpolate(moved, size=(side, side), mode="bicubic", align_corners=True)
    return large.clamp(-1, 1).to(reference.dtype)


def sample(photo: Tensor, flow: Tensor, size: int) -> Tensor:
    """Return what `models.spade.warp` returns, from an enlarged picture; in float32.

    Args:
        photo: what `enlarge` returns for a picture of this size.
        flow: (N, 2, h, w), picture sides; any size.
        size: of the result, (N, 4, size, size).
    """
    places = torch.linspace(-1, 1, size, device=photo.device)
    base = torch.stack([places.expand(size, size), places[:, None].expand(size, size)])
    # The outermost pixels' middles lie a pixel less apart than the borders.
    grid = base + 2 * size / (size - 1) * resize(flow, size).float()
    return F.grid_sample(
        photo.float(), grid.permute(0, 2, 3, 1), "bilinear", "border", align_corners=True
    )


def lay(reference: Tensor, photo: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return the reference after the person moved and the backdrop did not.

    Beyond the reference's border the person ends, see `ABOVE`.

    Args:
        reference: its layers, (N, 7, 256, 256), in [-1, 1].
        photo: what `enlarge` makes of them.
        flow: (N, 2, h, w), picture sides.

    Returns:
        The picture, (N, 3, 256, 256), in [-1, 1], and in [0, 1] where the person is in it and
        where the backdrop is seen that they hid, (N, 2, 256, 256).
    """
    moved = sample(photo, flow, reference.shape[-1])
    person = (moved[:, 3:4] + 1) / 2 * _within(flow, reference.shape[-1])
    hidden = (1 - person) * (reference[:, 3:4] + 1) / 2
    picture = person * moved[:, :3] + (1 - person) * reference[:, 4:]
    return picture, torch.cat([person, hidden], dim=1)


def _within(flow: Tensor, size: int) -> Tensor:
    """Return 1 where a flow points into the reference, less beyond it, (N, 1, S, S), in [0, 1]."""
    flow = resize(flow, size).float()
    places = (torch.arange(size, device=flow.device, dtype=torch.float32) + 0.5) / size
    x, y = flow[:, 0:1] + places, flow[:, 1:2] + places[:, None]
    above = (1 + y / ABOVE).clamp(0, 1)
    beside = (1 + torch.minimum(x, 1 - x) / BESIDE).clamp(0, 1)
    within: Tensor = above * beside
    return within
