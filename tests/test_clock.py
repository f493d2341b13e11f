"""Round trip and clock offset from pings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import CallClock, ClockEstimate, monotonic_ms
from shared.messages import Ping


def exchange(offset_ms: float, there_ms: float, held_ms: float, back_ms: float) -> ClockEstimate:
    """Play one ping each way between a clock and one that is offset_ms ahead of it."""
    mine, theirs = ClockEstimate(), ClockEstimate()
    first = mine.ping(1000.0, sent=0, lost=0)
    arrival = 1000.0 + there_ms
    theirs.heard(first, arrival + offset_ms)
    answer = theirs.ping(arrival + held_ms + offset_ms, sent=0, lost=0)
    mine.heard(answer, arrival + held_ms + back_ms)
    return mine


@given(st.floats(0, 1e6), st.floats(0, 500), st.floats(0, 5000))
def test_a_symmetric_path_gives_the_exact_offset(offset: float, way: float, held: float) -> None:
    estimate = exchange(offset, way, held, way)
    assert estimate.rtt_ms == pytest.approx(2 * way, abs=1e-6)
    assert estimate.offset_ms == pytest.approx(offset, abs=1e-6)


def test_nothing_is_known_before_the_first_echo() -> None:
    estimate = ClockEstimate()
    estimate.heard(Ping(5.0, -1.0, 0.0, 0, 0), 7.0)
    assert estimate.rtt_ms is None
    assert estimate.offset_ms is None
    assert estimate.ping(8.0, sent=1, lost=2) == Ping(8.0, 5.0, 1.0, 1, 2)


def test_the_sample_with_the_shortest_round_trip_counts() -> None:
    estimate = exchange(100.0, 1.0, 0.0, 1.0)
    estimate.heard(Ping(1500.0, 1200.0, 0.0, 0, 0), 1600.0)
    assert estimate.rtt_ms == 400.0
    assert estimate.offset_ms == pytest.approx(100.0)


def test_an_echo_from_the_future_measures_nothing() -> None:
    estimate = ClockEstimate()
    estimate.heard(Ping(0.0, 99999.0, 0.0, 0, 0), 10.0)
    estimate.heard(Ping(0.0, 5.0, 1e9, 0, 0), 10.0)
    assert estimate.rtt_ms is None


def test_the_call_clock_starts_at_zero_and_runs_with_the_monotonic_one() -> None:
    before = monotonic_ms()
    clock = CallClock()
    assert 0 <= clock.now_ms() <= monotonic_ms() - before
