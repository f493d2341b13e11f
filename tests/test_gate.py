"""Numbers that tremble stand still, numbers that move are followed."""

from __future__ import annotations

import numpy as np
import pytest

from shared.gate import GAP_MS, MOVED_STEPS, Gate


def test_tremble_is_held_back() -> None:
    random, gate = np.random.default_rng(0), Gate()
    values = random.normal(0, 1, (200, 4))
    shown = np.array([gate.apply(row, 40.0 * n) for n, row in enumerate(values)])
    left = np.abs(np.diff(shown[20:], axis=0)).mean() / np.abs(np.diff(values[20:], axis=0)).mean()
    assert left < 0.4


def test_what_jumps_is_followed_at_once() -> None:
    gate = Gate()
    gate.apply(np.zeros(2), 0)
    shown = gate.apply(np.array([10 * MOVED_STEPS, 0.0]), 40)
    assert shown[0] > 0.99 * 10 * MOVED_STEPS
    assert shown[1] == 0


@pytest.mark.parametrize("captured_ms", [GAP_MS + 41, 0.0, -40.0])
def test_after_a_gap_or_a_step_back_the_new_numbers_stand(captured_ms: float) -> None:
    gate = Gate()
    gate.apply(np.zeros(1), 0)
    gate.apply(np.ones(1), captured_ms)
    assert gate.shown is not None
    assert gate.shown[0] == 1


def test_slow_frames_take_more_of_the_new() -> None:
    shares = []
    for elapsed in (20, 40, 120):
        gate = Gate()
        gate.apply(np.zeros(1), 0)
        shares.append(float(gate.apply(np.ones(1), elapsed)[0]))
    assert shares[0] < shares[1] < shares[2] < 1
