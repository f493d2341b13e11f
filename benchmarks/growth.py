"""Whether a long series of measurements grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

_HOUR_S = 3600.0
# What a program takes once (caches, compiled code, each thread's heap at its fullest) is no growth.
# Of the soak's fifteen minutes ten are left.
_WARM_UP_SHARE = 1 / 3
_WARM_UP_MOST_S = 300.0
_LEAST_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Growth:
    """What became of one figure after the warm-up.

    Attributes:
        per_hour: its slope, units an hour: the median of the slopes between all pairs of
            samples (Theil and Sen), which a few jumps do not move.
        low: lower end of the slope's 95 % interval.
        high: upper end.
        step: median of the last third less the median of the first third.
    """

    per_hour: float
    low: float
    high: float
    step: float


def warm_up_s(length_s: float) -> float:
    """Return how much of a run's beginning does not count."""
    return min(length_s * _WARM_UP_SHARE, _WARM_UP_MOST_S)


def growth(at_s: Sequence[float], values: Sequence[float]) -> Growth:
    """Return how a figure grew.

    Args:
        at_s: when each sample was taken, rising.
        values: the samples.

    Raises:
        ValueError: there are too few samples after the warm-up to tell.
    """
    times, samples = np.asarray(at_s, float), np.asarray(values, float)
    warm = times >= times[0] + warm_up_s(times[-1] - times[0]) if len(times) else times > 0
    times, samples = times[warm], samples[warm]
    if len(samples) < _LEAST_SAMPLES:
        raise ValueError(f"{len(samples)} samples after the warm-up are too few to tell")
    slope, _, low, high = (_HOUR_S * value for value in theilslopes(samples, times))
    third = len(samples) // 3
    step = float(np.median(samples[-third:]) - np.median(samples[:third]))
    return Growth(float(slope), float(low), float(high), step)
