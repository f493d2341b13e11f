"""Pictures that tremble by a level stand still; what moves is not held back."""

from __future__ import annotations

import numpy as np

from receiver.stillness import LEVELS, Stillness
from shared.pictures import Image


def grey(level: int, size: int = 16) -> Image:
    return np.full((size, size, 3), level, np.uint8)


def test_the_first_picture_is_itself() -> None:
    np.testing.assert_array_equal(Stillness().apply(grey(90)), grey(90))


def test_a_tremble_is_not_shown() -> None:
    stillness, random = Stillness(), np.random.default_rng(0)
    stillness.apply(grey(90))
    for _ in range(20):
        noise = random.integers(-LEVELS, LEVELS + 1, (16, 16, 3))
        shown = stillness.apply((grey(90) + noise).astype(np.uint8))
        np.testing.assert_array_equal(shown, grey(90))


def test_a_slow_change_arrives() -> None:
    stillness = Stillness()
    for level in range(90, 140):
        shown = stillness.apply(grey(level))
        assert np.abs(shown.astype(int) - level).max() <= LEVELS


def test_what_moves_is_shown_at_once_and_the_rest_stays() -> None:
    stillness = Stillness()
    stillness.apply(grey(90))
    moved = grey(91)
    moved[4:8, 4:8] = 200
    shown = stillness.apply(moved.copy())
    assert (shown[4:8, 4:8] == 200).all()
    assert (shown[:4] == 90).all()


def test_darkest_and_brightest_do_not_wrap() -> None:
    stillness = Stillness()
    stillness.apply(grey(0))
    np.testing.assert_array_equal(stillness.apply(grey(255)), grey(255))
    np.testing.assert_array_equal(stillness.apply(grey(0)), grey(0))


def test_pictures_shown_before_are_left_alone() -> None:
    stillness = Stillness()
    first = stillness.apply(grey(90))
    stillness.apply(grey(200))
    np.testing.assert_array_equal(first, grey(90))


def test_another_size_begins_anew() -> None:
    stillness = Stillness()
    stillness.apply(grey(90))
    np.testing.assert_array_equal(stillness.apply(grey(91, size=8)), grey(91, size=8))
