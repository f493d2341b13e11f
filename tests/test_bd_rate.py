"""Bjontegaard's delta of curves whose distance is known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.bd_rate import bd_rate, mean_bd_rate
from benchmarks.scores import METRICS

PSNR = METRICS[0]
DISTANCE = next(metric for metric in METRICS if not metric.higher)
RATES = (10.0, 20.0, 40.0, 80.0)


def curve(
    factor: float, quality: list[float], key: str = "psnr", **more: str
) -> list[dict[str, Any]]:
    return [
        {"wire_kbps": factor * rate, key: value, **more}
        for rate, value in zip(RATES, quality, strict=True)
    ]


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_curve_at_a_multiple_of_the_rate_is_that_much_dearer(factor: float) -> None:
    quality = [30.0, 33.0, 36.0, 39.0]
    found = bd_rate(curve(1, quality), curve(factor, quality), PSNR)
    assert found == pytest.approx(100 * (factor - 1), abs=0.01)


def test_where_lower_is_better() -> None:
    quality = [9.0, 7.0, 5.0, 3.0]
    anchor, other = (curve(f, quality, DISTANCE.key) for f in (1, 2))
    assert bd_rate(anchor, other, DISTANCE) == pytest.approx(100, abs=0.01)


def test_curves_that_share_no_quality_have_none() -> None:
    low, high = [20.0, 21.0, 22.0, 23.0], [30.0, 33.0, 36.0, 39.0]
    assert bd_rate(curve(1, high), curve(1, low), PSNR) is None


def test_points_that_cost_more_and_are_no_better_are_left_out() -> None:
    quality = [30.0, 33.0, 36.0, 39.0]
    bent = [
        *curve(1, quality),
        {"wire_kbps": 15.0, "psnr": 29.0},
        {"wire_kbps": 90.0, "psnr": 39.0},
    ]
    assert bd_rate(bent, curve(1, quality), PSNR) == pytest.approx(0, abs=0.01)
    assert bd_rate(curve(1, [30.0, 29.0, 28.0, 27.0]), curve(1, quality), PSNR) is None


def test_the_mean_is_over_the_clips_that_overlap() -> None:
    quality, low = [30.0, 33.0, 36.0, 39.0], [20.0, 21.0, 22.0, 23.0]
    points = [
        *curve(1, quality, clip="a", codec="x"), *curve(2, quality, clip="a", codec="y"),
        *curve(1, quality, clip="b", codec="x"), *curve(2, low, clip="b", codec="y"),
    ]  # fmt: skip
    value, clips = mean_bd_rate(points, "x", "y", PSNR)
    assert value == pytest.approx(100, abs=0.01)
    assert clips == 1
    assert mean_bd_rate(points, "x", "z", PSNR) == (None, 0)
