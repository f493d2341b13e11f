"""The ring of times."""

from __future__ import annotations

import pytest

from sender.times import Times


def test_before_the_first_there_is_no_median() -> None:
    assert Times(4).median() is None


@pytest.mark.parametrize(
    ("added", "median"), [([3], 3), ([1, 9, 2], 2), ([9, 9, 1, 2, 3], 2.5), ([9] * 9 + [1] * 4, 1)]
)
def test_the_median_is_that_of_the_newest(added: list[float], median: float) -> None:
    times = Times(4)
    for milliseconds in added:
        times.add(milliseconds)
    assert times.median() == median


def test_its_memory_is_taken_at_the_start() -> None:
    times = Times(100)
    before = times._ring.__sizeof__()
    for n in range(1000):
        times.add(float(n))
    assert times._ring.__sizeof__() == before
