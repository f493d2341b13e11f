"""Pictures that move a little, and a clip made of them, without a face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from benchmarks.material import Material
from benchmarks.scores import Networks
from shared.crop import PICTURE_SIZE, Crop
from shared.params import EXPRESSION_SIZE, Camera, Params
from shared.pictures import Image


def moving_pictures(count: int) -> list[Image]:
    """Return pictures in which a soft pattern moves to the right."""
    rng = np.random.default_rng(5)
    wide = rng.integers(0, 256, (PICTURE_SIZE, PICTURE_SIZE + 2 * count, 3)).astype(np.uint8)
    soft = cv2.GaussianBlur(wide, (0, 0), 6).astype(np.float32)
    pattern = np.clip((soft - 127) * 12 + 127, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(pattern[:, 2 * i : 2 * i + PICTURE_SIZE]) for i in range(count)]


def scored_material(pictures: list[Image]) -> Material:
    """Return a clip of these pictures at 25 a second, with a face in none of them."""
    camera = Camera(-1.5, np.zeros(3, np.float32), np.array([0.5, 0.55, 0], np.float32))
    return Material(
        Path("moving.mkv"),
        0.0,
        Fraction(25),
        Crop(0.0, 0.0, float(PICTURE_SIZE)),
        pictures,
        [None] * len(pictures),
        [],
        np.zeros(40, np.float32),
        Params(np.zeros(EXPRESSION_SIZE, np.float32), camera),
    )


def networkless() -> Networks:
    """Return judges without their networks, as on a machine that has none of them."""
    networks = Networks.__new__(Networks)
    networks.missing = {"perceptual": "left out here", "identity": "left out here"}
    networks.perceptual = networks.identity = None
    return networks
