"""Unwrapping and the replay window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sequence import ReplayWindow, unwrap
from shared.wire_errors import DuplicateError, TooOldError


@given(st.integers(0, 1 << 40), st.integers(-(1 << 15), (1 << 15) - 1))
def test_unwrap_finds_the_number_near_the_last(near: int, away: int) -> None:
    value = near + away
    if value >= 0:
        assert unwrap(value % (1 << 16), near, 16) == value


@given(st.integers(0, 0xFFFF), st.integers(0, 1 << 40))
def test_unwrap_never_goes_below_zero(wrapped: int, near: int) -> None:
    assert unwrap(wrapped, near, 16) >= 0


@given(st.lists(st.integers(0, 300), max_size=200))
def test_window_takes_each_number_once(numbers: list[int]) -> None:
    window, taken = ReplayWindow(32), set()
    for number in numbers:
        try:
            window.check(number)
        except DuplicateError:
            assert number in taken
        except TooOldError:
            assert number <= max(taken) - 32
        else:
            assert number not in taken
            window.add(number)
            taken.add(number)


def test_a_huge_jump_costs_nothing() -> None:
    window = ReplayWindow()
    window.add(0)
    window.add(1 << 60)
    with pytest.raises(TooOldError):
        window.check(0)
