"""What the generator is trained on: HeadGAN's appendix B; the GAN's part is in `adversary`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models.adversary import Adversary
from models.crops import EYES, MOUTH, corners_around, cut, part_of
from models.headgan import Rebuilt
from models.landmarks import LandmarkDistance
from models.perceptual import PerceptualDistance
from models.recognition import IdentityDistance

# The perceptual terms look at the whole picture and, once more, at a square on the face: where
# people look.
PERCEPTUAL_SIDE = 128
# How much more pixels count on the face, and on mouth and eyes beyond that: they carry the call.
FACE_WEIGHT = 2.0
FEATURE_WEIGHT = 6.0
GROW = 8  # pixels: across the openings of mouth and eyes, and over the face's edge


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the terms; pixel terms are mean absolute differences in [-1, 1].

    The paper has 50 for L1 against 10 for VGG features; ours are scaled to SqueezeNet's
    distances, which are larger. The warped picture's terms teach the flow. The painted
    picture's keeps the mask honest: without it the mask closes before anything is painted well
    and never opens again. The adversarial terms stand to the pixels' as in the paper (1 and 10 to
    50), a third of it for the first: what is told of the mouth makes teeth white, and more of it
    draws grids on them.
    """

    pixel: float = 20.0
    warped_pixel: float = 10.0
    painted_pixel: float = 6.0
    gradient: float = 10.0
    perceptual: float = 0.27
    warped_perceptual: float = 0.09
    face_perceptual: float = 0.18
    adversarial: float = 0.15
    matching: float = 5.0
    landmarks: float = 1.6
    identity: float = 3.0


def reconstruction_loss(
    rebuilt: Rebuilt,
    target: Tensor,
    faces: Tensor,
    perceptual: PerceptualDistance | None,
    weights: LossWeights,
    adversary: Adversary | None = None,
    audio: Tensor | None = None,
    landmarks: LandmarkDistance | None = None,
    identity: IdentityDistance | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss and its terms.

    Args:
        rebuilt: the generator's output.
        target: the driving picture, (N, 3, 256, 256), in [-1, 1].
        faces: driving face images, (N, 9, 256, 256); the first three say where the face is.
        perceptual: feature distance; None leaves its terms out.
        weights: of the terms.
        adversary: the discriminators; None leaves their terms out.
        audio: audio features, (N, audio), which they know of in a preset that has them.
        landmarks: distance of the tracker's points; None leaves its term out.
        identity: distance of dlib's embeddings; None leaves its term out.
    """
    emphasis = _emphasis(faces).to(target.dtype)
    terms = {
        "pixel": ((rebuilt.image - target).abs() * emphasis).mean(),
        "warped_pixel": ((rebuilt.warped - target).abs() * emphasis).mean(),
        "painted_pixel": ((rebuilt.painted - target).abs() * emphasis).mean(),
        "gradient": _gradient_difference(rebuilt.image, target),
    }
    if perceptual is not None:
        corners = corners_around(faces[:, 0:1] > 0, PERCEPTUAL_SIDE)
        features = perceptual.features(cut(target, corners, PERCEPTUAL_SIDE))
        terms["face_perceptual"] = perceptual(
            cut(rebuilt.image, corners, PERCEPTUAL_SIDE), features
        )
        features = perceptual.features(target)
        terms["perceptual"] = perceptual(rebuilt.image, features)
        terms["warped_perceptual"] = perceptual(rebuilt.warped, features)
    if landmarks is not None:
        terms["landmarks"] = landmarks(rebuilt.image, target, faces)
    if identity is not None:
        terms["identity"] = identity(rebuilt.image, target, faces)
    if adversary is not None:
        terms |= adversary.terms(rebuilt.image, target, faces, audio)
    total = sum(
        (getattr(weights, name) * term for name, term in terms.items()), target.new_zeros(())
    )
    return total, {name: float(term.detach()) for name, term in terms.items()}


def _emphasis(faces: Tensor) -> Tensor:
    """Return how much each pixel counts, (N, 1, H, W), one on average over each picture."""
    weight = 1 + FACE_WEIGHT * _grow(faces[:, 0:1] > 0)
    for part in (MOUTH, *EYES):
        weight = weight + FEATURE_WEIGHT * _grow(part_of(faces, part))
    return weight / weight.mean(dim=(1, 2, 3), keepdim=True)


def _grow(mask: Tensor) -> Tensor:
    return F.max_pool2d(mask.float(), 2 * GROW + 1, stride=1, padding=GROW)


def _gradient_difference(image: Tensor, target: Tensor) -> Tensor:
    across = image.diff(dim=3) - target.diff(dim=3)
    down = image.diff(dim=2) - target.diff(dim=2)
    return across.abs().mean() + down.abs().mean()
