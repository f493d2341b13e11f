"""Optical flow between small pictures."""

from __future__ import annotations

import cv2
import numpy as np

from shared.optical_flow import SIDE, flow, grey


def textured(size: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (size, size)).astype(np.float32)
    blurred = sum(height * cv2.GaussianBlur(noise, (0, 0), s) for s, height in ((2, 150), (8, 600)))
    return np.clip(128 + blurred, 0, 255).astype(np.uint8)


def test_flow_says_where_a_pixel_lies_in_the_other_picture() -> None:
    key = textured(SIDE)
    frame = np.roll(key, (3, -2), axis=(0, 1))  # what was at y, x is at y + 3, x - 2
    found = flow(frame, key)[20:-20, 20:-20]
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), [2 / SIDE, -3 / SIDE], atol=0.002)


def test_the_same_picture_has_none() -> None:
    assert np.abs(flow(textured(SIDE), textured(SIDE))).max() < 0.001


def test_pictures_are_compared_small_and_grey() -> None:
    picture = np.repeat(textured(256)[..., None], 3, axis=2)
    small = grey(picture)
    assert small.shape == (SIDE, SIDE)
    assert abs(float(small.mean()) - float(picture.mean())) < 1
