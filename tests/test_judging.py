"""What a clip's figures say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.judging import Rebuilt, graft, shimmer
from shared.pictures import Image


def frame(original: Image, rebuilt: Image, place: float = 0.5) -> Rebuilt:
    points = np.full((478, 3), place, np.float32)
    return Rebuilt(original, original, original, rebuilt, original, points, 30.0)


def pictures(count: int, noise: float, seed: int = 0) -> list[Image]:
    random = np.random.default_rng(seed)
    return [
        (128 + random.normal(0, noise, (32, 32, 3))).clip(0, 255).astype(np.uint8)
        for _ in range(count)
    ]


@pytest.mark.parametrize(("noise", "expected"), [(4, 1.0), (8, 2.0)])
def test_shimmer_is_the_change_over_the_originals(noise: float, expected: float) -> None:
    frames = [frame(*pair) for pair in zip(pictures(9, 4), pictures(9, noise, seed=1), strict=True)]
    assert shimmer(frames) == pytest.approx(expected, rel=0.1)


def test_a_grafted_face_is_the_originals_and_the_rest_is_not() -> None:
    original, rebuilt = (np.full((64, 64, 3), level, np.uint8) for level in (200, 50))
    beside = np.ones((64, 64), np.float32)
    beside[20:44, 20:44] = 0
    made = graft(original, rebuilt, beside)
    assert (made[26:38, 26:38] == 200).all()
    assert (made[:14] == 50).all()
    assert set(np.unique(made[32, 12:32, 0])) > {50, 200}  # a soft edge


def test_a_picture_that_stands_still_has_none() -> None:
    still = pictures(1, 4)[0]
    assert shimmer([frame(original, still) for original in pictures(5, 4)]) == 0


def test_steps_with_motion_do_not_count() -> None:
    calm, wild = pictures(9, 4), pictures(9, 60, seed=1)
    places = [0.5] * 5 + [0.5 + 0.1 * i for i in range(1, 5)]
    rebuilt = calm[:5] + wild[5:]
    frames = [frame(*row) for row in zip(calm, rebuilt, places, strict=True)]
    assert shimmer(frames) == pytest.approx(1)
