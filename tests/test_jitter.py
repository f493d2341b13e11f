"""The smallest delay, and the target above it."""

from __future__ import annotations

import numpy as np
import pytest

from receiver.jitter import FALL_MS, WINDOW, SmallestDelay, TargetDelay


def test_the_smallest_delay_forgets_what_is_old() -> None:
    smallest = SmallestDelay()
    smallest.add(5, 0)
    for second in range(1, 10):
        smallest.add(80, second * 1000)
    assert smallest.value() == 5
    smallest.add(80, 10_500)
    assert smallest.value() == 80


@pytest.mark.parametrize("seed", range(3))
def test_the_target_lets_95_percent_come_in_time(seed: int) -> None:
    random = np.random.default_rng(seed)
    delays = random.exponential(20, WINDOW)
    target = TargetDelay(0, 1000)
    for delay in delays:
        target.add(float(delay))
    assert (delays <= target.value()).mean() == pytest.approx(0.95, abs=0.02)


def test_the_target_stays_between_its_bounds() -> None:
    target = TargetDelay(20, 200)
    assert target.value() == 20
    target.add(5)
    assert target.value() == 20
    for _ in range(20):
        target.add(5000)
    assert target.value() == 200


def test_the_target_rises_at_once_and_falls_slowly() -> None:
    target = TargetDelay(20, 200)
    target.add(150)
    assert target.value() == 150
    before = target.value()
    for _ in range(WINDOW):
        target.add(0)
        assert before - target.value() <= FALL_MS
        before = target.value()
    target.add(0)
    assert target.value() < 150
