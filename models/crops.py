"""Squares cut from pictures around a part of the face, for losses that look closely."""

from __future__ import annotations

import torch
from torch import Tensor

Corners = list[tuple[int, int]]

# Mouth and eyes as boxes of the face image's colours: x from, x to, y from, y to.
MOUTH = (0.30, 0.75, 0.66, 0.81)
EYES = ((0.19, 0.43, 0.31, 0.40), (0.62, 0.86, 0.31, 0.40))


def part_of(faces: Tensor, part: tuple[float, float, float, float]) -> Tensor:
    """Return where face images (N, C >= 3, H, W) show a part of the face, (N, 1, H, W), bool.

    The colours move with the mesh. An opening has none of them: the mask frames it.
    """
    left, right, top, bottom = part
    x, y, z = faces[:, 0:1], faces[:, 1:2], faces[:, 2:3]
    return (x > left) & (x < right) & (y > top) & (y < bottom) & (z > 0)  # irises have no z


def corners_around(masks: Tensor, side: int) -> Corners:
    """Return the top-left corner of a square around each mask's centre, inside the picture.

    Args:
        masks: shape (N, 1, H, W), bool; an empty one gives the picture's middle.
        side: of the square, pixels, at most H and W.
    """
    corners = []
    for mask in masks[:, 0]:
        size = mask.shape[-1]
        where = mask.nonzero().float()
        centre = where.mean(dim=0).tolist() if len(where) else [size / 2, size / 2]
        top, left = (min(max(int(c) - side // 2, 0), size - side) for c in centre)
        corners.append((top, left))
    return corners


def cut(images: Tensor, corners: Corners, side: int) -> Tensor:
    """Return the squares at `corners` of images (N, C, H, W), (N, C, side, side)."""
    return torch.stack(
        [
            image[:, top : top + side, left : left + side]
            for image, (top, left) in zip(images, corners, strict=True)
        ]
    )
