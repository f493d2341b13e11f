"""The fit behind the soak."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.growth import growth, warm_up_s

TIMES = np.arange(0.0, 900.0, 1.0)


def noise(seed: int, size: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, len(TIMES))


@pytest.mark.parametrize("slope", [-2.0, 0.0, 0.5, 3.0, 40.0])
def test_a_slope_is_found_in_noise(slope: float) -> None:
    how = growth(TIMES.tolist(), (100 + slope * TIMES / 3600 + noise(1, 0.02)).tolist())
    assert how.per_hour == pytest.approx(slope, abs=0.05)
    assert how.low <= how.per_hour <= how.high


def test_the_warm_up_does_not_count() -> None:
    values = 100 + 50 * np.minimum(TIMES / warm_up_s(900), 1)
    how = growth(TIMES.tolist(), values.tolist())
    assert how.per_hour == pytest.approx(0, abs=1e-6)
    assert how.step == 0


def test_a_few_jumps_do_not_count() -> None:
    values = 100 + noise(2, 0.02)
    values[300:310] += 30
    values[450] = 500
    how = growth(TIMES.tolist(), values.tolist())
    assert abs(how.per_hour) < 0.1
    assert abs(how.step) < 0.1


def test_a_leak_of_one_file_a_minute_is_a_step() -> None:
    assert growth(TIMES.tolist(), (20 + TIMES // 60).tolist()).step >= 1


def test_too_few_samples_tell_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        growth([], [])
    with pytest.raises(ValueError, match="too few"):
        growth([0, 1, 2, 3], [1, 1, 1, 1])


def test_the_warm_up_of_a_long_run_is_bounded() -> None:
    assert warm_up_s(60) == 20
    assert warm_up_s(36_000) == 300
