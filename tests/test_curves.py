"""Curves over clips, and what is read off them."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.curves import at_rate, codec_curve, own_curve, rate_for, spread
from benchmarks.scores import METRICS

PSNR = METRICS[0]
DISTANCE = next(metric for metric in METRICS if not metric.higher)


def point(clip: str, wire: float, quality: float, setting: str = "q") -> dict[str, Any]:
    values = dict.fromkeys((metric.key for metric in METRICS), quality)
    return {"clip": clip, "setting": setting, "wire_kbps": wire, "payload_kbps": wire - 10,
            "reference_bytes": 1000, **values}  # fmt: skip


def test_a_curve_takes_each_clips_best_within_a_cap() -> None:
    points = [point("a", 12, 20), point("a", 18, 24), point("b", 22, 30), point("b", 35, 36)]
    curve = codec_curve(points)
    assert [(p["at"], p["wire_kbps"], p["psnr"]) for p in curve] == [
        ("floor", 17, 25),
        ("20 kbps or floor", 20, 27),  # b cannot go below 22: its floor is in
        ("40 kbps or floor", 26.5, 30),
    ]


def test_our_settings_are_means_cheapest_first() -> None:
    points = [point("a", 24, 21, "low"), point("a", 11, 20, "normal"),
              point("b", 26, 23, "low"), point("b", 13, 24, "normal")]  # fmt: skip
    curve = own_curve(points)
    assert [(p["at"], p["wire_kbps"], p["psnr"]) for p in curve] == [
        ("normal", 12, 22),
        ("low", 25, 22),
    ]


def test_a_figure_that_one_clip_lacks_has_no_mean() -> None:
    points = [point("a", 12, 20), point("b", 12, 20) | {"identity": None}]
    assert codec_curve(points)[0]["identity"] is None


def test_the_rate_for_a_quality_lies_between_points_by_logarithm() -> None:
    curve = [point("a", 10, 20), point("a", 40, 30)]
    assert rate_for(curve, PSNR, 25) == pytest.approx(20)
    assert rate_for(curve, PSNR, 15) == pytest.approx(10)  # its floor is better already
    assert rate_for(curve, PSNR, 31) is None
    falling = [point("a", 10, 9), point("a", 40, 5)]
    assert rate_for(falling, DISTANCE, 7) == pytest.approx(20)
    assert rate_for(falling, DISTANCE, 4) is None


def test_at_a_rate_the_best_that_costs_no_more() -> None:
    points = [point("a", 40, 30), point("a", 12, 20), point("a", 20, 25)]
    assert at_rate(points, 25)["psnr"] == 25
    assert at_rate(points, 5)["psnr"] == 20


def test_a_reference_is_spread_over_a_call() -> None:
    found = point("a", 12, 20) | {"reference_bytes": 15_000}
    assert spread(found, None) == 12
    assert spread(found, 10) == pytest.approx(24)
    assert spread(found, 60) == pytest.approx(14)
