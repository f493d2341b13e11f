from __future__ import annotations

import pytest

from benchmarks.smoothness import freeze_ratio, freezes, percentiles, stale


def every(gap_ms: float, count: int, start_ms: float = 0.0) -> list[float]:
    return [start_ms + gap_ms * n for n in range(count)]


def test_an_even_call_has_no_freeze() -> None:
    shown = every(40, 100)
    assert freezes(shown, shown[-1] + 40) == []
    assert freeze_ratio(shown, shown[-1] + 40) == 0.0


def test_the_threshold_of_a_fast_call_is_150_ms_above_the_mean() -> None:
    # The mean of 1000 gaps, one of them long, is 40.15 ms: a freeze is 190.15 ms or more.
    for long, is_freeze in ((189.0, False), (192.0, True)):
        shown = [*every(40, 500), *every(40, 501, 499 * 40 + long)]
        expected = [(499 * 40, 499 * 40 + long)] if is_freeze else []
        assert freezes(shown, shown[-1]) == expected


def test_the_threshold_of_a_slow_call_is_three_times_the_mean() -> None:
    # The mean of 1000 gaps is about 200.4 ms: three times it are 601.
    for long, is_freeze in ((595.0, False), (610.0, True)):
        shown = [*every(200, 500), *every(200, 501, 499 * 200 + long)]
        assert bool(freezes(shown, shown[-1])) == is_freeze


def test_a_call_that_ends_frozen() -> None:
    shown = every(40, 101)
    assert freezes(shown, 5000.0) == [(4000.0, 5000.0)]
    assert freeze_ratio(shown, 5000.0) == pytest.approx(0.2)


def test_the_ratio_is_over_the_call_from_its_first_picture() -> None:
    shown = [*every(40, 101, 10_000), *every(40, 101, 16_000)]
    assert freezes(shown, 20_000) == [(14_000, 16_000)]
    assert freeze_ratio(shown, 20_000) == pytest.approx(0.2)


def test_a_call_without_a_picture_is_frozen_throughout() -> None:
    assert freezes([], 1000) == []
    assert freeze_ratio([], 1000) == 1.0


def test_a_single_picture() -> None:
    assert freeze_ratio([5.0], 5.0) == 0.0
    assert freeze_ratio([5.0], 1005.0) == 1.0


def test_stale_is_300_ms_above_the_least() -> None:
    shown = every(40, 5)
    assert stale(shown, [100.0, 400.0, 401.0, 100.0, 450.0]) == [2, 4]


def test_a_late_beginning_is_not_stale() -> None:
    assert stale(every(40, 3), [900.0, 500.0, 100.0]) == []


def test_the_least_is_that_of_the_last_ten_seconds() -> None:
    # The way became 500 ms longer for good after 4 s: 10 s later that is how the link is.
    shown = every(100, 300)
    latency = [100.0] * 40 + [600.0] * 260
    late = stale(shown, latency)
    assert late == list(range(40, 140))


def test_a_cut_does_not_make_the_least_forgotten() -> None:
    # 20 s of nothing, then what had waited in the link, 20 s old, and after it fresh pictures.
    shown = [*every(40, 100), *every(40, 100, 24_000)]
    latency = [100.0] * 100 + [20_000.0] * 5 + [100.0] * 95
    assert stale(shown, latency) == [100, 101, 102, 103, 104]


def test_percentiles() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
    assert percentiles([float(n) for n in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
