"""The two numbers of the irises."""

from __future__ import annotations

import numpy as np
import pytest

from shared.detail import IRIS_LIMIT
from shared.iris import iris_colour, iris_numbers, usual


def test_numbers_come_back_from_the_colour_they_stand_for() -> None:
    numbers = np.random.default_rng(0).normal(0, 2, (20, 2)).astype(np.float32)
    for own in numbers:
        np.testing.assert_allclose(iris_numbers(iris_colour(own)), own, atol=1e-5)


def test_the_usual_irises_are_darker_than_the_face_and_brownish() -> None:
    luma, blue_less_red = iris_colour(usual())
    assert 0.2 < luma < 0.8
    assert -0.3 < blue_less_red < 0


@pytest.mark.parametrize("colour", [(1e4, 0.0), (-1e4, 1e4), (0.0, -1e4)])
def test_no_colour_is_beyond_what_may_be_sent(colour: tuple[float, float]) -> None:
    numbers = iris_numbers(np.array(colour, np.float32))
    assert np.abs(numbers).max() == IRIS_LIMIT
    assert numbers.dtype == np.float32
