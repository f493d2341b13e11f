"""What the generator is trained on: HeadGAN's appendix B without the adversarial terms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models.headgan import Rebuilt
from models.perceptual import PerceptualDistance

# The perceptual term looks at a square on the face: a quarter of the picture's cost, and where
# people look.
PERCEPTUAL_SIDE = 128
# How much more pixels count on the face, and on mouth and eyes beyond that: they carry the call.
FACE_WEIGHT = 2.0
FEATURE_WEIGHT = 6.0
# Mouth and eyes as boxes of the face image's colours: x from, x to, y from, y to. The colours move
# with the mesh; they frame the openings, which have none, so the boxes are grown across those.
GROW = 8
FEATURES = ((0.30, 0.75, 0.66, 0.81), (0.19, 0.43, 0.31, 0.40), (0.62, 0.86, 0.31, 0.40))


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the terms; pixel terms are mean absolute differences in [-1, 1].

    The paper has 50 for L1 against 10 for VGG features; ours are scaled to SqueezeNet's
    distances, which are larger. The warped picture's term teaches the flow. The painted
    picture's keeps the mask honest: without it the mask closes before anything is painted well
    and never opens again.
    """

    pixel: float = 20.0
    warped_pixel: float = 10.0
    painted_pixel: float = 6.0
    gradient: float = 10.0
    perceptual: float = 0.12


def reconstruction_loss(
    rebuilt: Rebuilt,
    target: Tensor,
    faces: Tensor,
    perceptual: PerceptualDistance | None,
    weights: LossWeights,
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss and its terms.

    Args:
        rebuilt: the generator's output.
        target: the driving picture, (N, 3, 256, 256), in [-1, 1].
        faces: driving face images, (N, 9, 256, 256); the first three say where the face is.
        perceptual: feature distance; None leaves its terms out.
        weights: of the terms.
    """
    emphasis = _emphasis(faces).to(target.dtype)
    terms = {
        "pixel": ((rebuilt.image - target).abs() * emphasis).mean(),
        "warped_pixel": ((rebuilt.warped - target).abs() * emphasis).mean(),
        "painted_pixel": ((rebuilt.painted - target).abs() * emphasis).mean(),
        "gradient": _gradient_difference(rebuilt.image, target),
    }
    if perceptual is not None:
        box = _face_boxes(faces)
        features = perceptual.features(_cut(target, box))
        terms["perceptual"] = perceptual(_cut(rebuilt.image, box), features)
    total = sum(
        (getattr(weights, name) * term for name, term in terms.items()), target.new_zeros(())
    )
    return total, {name: float(term.detach()) for name, term in terms.items()}


def _emphasis(faces: Tensor) -> Tensor:
    """Return how much each pixel counts, (N, 1, H, W), one on average over each picture."""
    x, y = faces[:, 0:1].float(), faces[:, 1:2].float()
    weight = 1 + FACE_WEIGHT * _grow(x > 0)
    for left, right, top, bottom in FEATURES:
        inside = (x > left) & (x < right) & (y > top) & (y < bottom)
        weight = weight + FEATURE_WEIGHT * _grow(inside)
    return weight / weight.mean(dim=(1, 2, 3), keepdim=True)


def _grow(mask: Tensor) -> Tensor:
    return F.max_pool2d(mask.float(), 2 * GROW + 1, stride=1, padding=GROW)


def _face_boxes(faces: Tensor) -> list[tuple[int, int]]:
    """Return the top-left corner of a square around each face, inside the picture."""
    corners = []
    for mask in faces[:, 0] > 0:
        size = mask.shape[-1]
        where = mask.nonzero().float()
        centre = where.mean(dim=0).tolist() if len(where) else [size / 2, size / 2]
        top, left = (
            min(max(int(c) - PERCEPTUAL_SIDE // 2, 0), size - PERCEPTUAL_SIDE) for c in centre
        )
        corners.append((top, left))
    return corners


def _cut(images: Tensor, corners: list[tuple[int, int]]) -> Tensor:
    side = PERCEPTUAL_SIDE
    return torch.stack(
        [
            image[:, top : top + side, left : left + side]
            for image, (top, left) in zip(images, corners, strict=True)
        ]
    )


def _gradient_difference(image: Tensor, target: Tensor) -> Tensor:
    across = image.diff(dim=3) - target.diff(dim=3)
    down = image.diff(dim=2) - target.diff(dim=2)
    return across.abs().mean() + down.abs().mean()
