"""Similarity registration of two point sets (Umeyama 1991), used by every fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Similarity:
    """The map ``x -> scale * rotation @ x + translation``.

    Attributes:
        scale: positive factor.
        rotation: shape (3, 3), a proper rotation.
        translation: shape (3,).
    """

    scale: float
    rotation: Array
    translation: Array

    def apply(self, points: Array) -> Array:
        """Map points of shape (N, 3)."""
        return self.scale * points @ self.rotation.T + self.translation

    def undo(self, points: Array) -> Array:
        """Map points of shape (N, 3) back."""
        return (points - self.translation) @ self.rotation / self.scale


def register(source: Array, target: Array) -> Similarity:
    """Return the similarity that brings `source` closest to `target` in least squares.

    Args:
        source: shape (N, 3).
        target: shape (N, 3), the corresponding points.

    Raises:
        ValueError: the source points coincide, so that no scale fits.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centred = source - source_mean
    variance = float((centred**2).sum())
    if not variance > 0:
        raise ValueError("the points to register all coincide")
    left, singular, right = np.linalg.svd((target - target_mean).T @ centred)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * sign) @ right
    scale = float((singular * sign).sum()) / variance
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)
