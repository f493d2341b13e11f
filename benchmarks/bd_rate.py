"""Bjontegaard's delta: how much more a codec sends than another for the same quality."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.scores import Metric

LEAST_POINTS = 3
LEAST_OVERLAP = 0.25  # of the narrower range of quality; below it the mean says little


def bd_rate(
    anchor: list[dict[str, Any]], other: list[dict[str, Any]], metric: Metric
) -> float | None:
    """Return the difference in wire rate at the same quality, percent of the anchor's.

    Args:
        anchor: points of one clip and codec.
        other: points of the same clip and another codec.
        metric: the quality that is the same.

    Returns:
        Negative where the other needs less; None where the two share too little of the quality,
        or the package `bjontegaard` is not installed.
    """
    try:
        import bjontegaard
    except ImportError:
        return None
    curves = [_rising(points, metric) for points in (anchor, other)]
    if min(len(curve) for curve in curves) < LEAST_POINTS:
        return None
    ranges = [(curve[0][1], curve[-1][1]) for curve in curves]
    shared = min(high for _, high in ranges) - max(low for low, _ in ranges)
    if shared < LEAST_OVERLAP * min(high - low for low, high in ranges):
        return None
    (rates, qualities), (other_rates, other_qualities) = (
        zip(*curve, strict=True) for curve in curves
    )
    return float(
        bjontegaard.bd_rate(
            list(rates),
            list(qualities),
            list(other_rates),
            list(other_qualities),
            method="pchip",
            require_matching_points=False,
            min_overlap=0,
        )
    )


def mean_bd_rate(
    points: list[dict[str, Any]], anchor: str, codec: str, metric: Metric
) -> tuple[float | None, int]:
    """Return the mean over clips, and of how many clips it is."""
    found = []
    for clip in dict.fromkeys(point["clip"] for point in points):
        own = [point for point in points if point["clip"] == clip]
        pair = [[p for p in own if p["codec"] == name] for name in (anchor, codec)]
        value = bd_rate(pair[0], pair[1], metric)
        if value is not None:
            found.append(value)
    return (float(np.mean(found)) if found else None), len(found)


def _rising(points: list[dict[str, Any]], metric: Metric) -> list[tuple[float, float]]:
    """Return (rate, quality) with every point that costs more being better than those before."""
    sign = 1.0 if metric.higher else -1.0
    kept: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: float(point["wire_kbps"])):
        if point[metric.key] is None:
            continue
        pair = (float(point["wire_kbps"]), sign * float(point[metric.key]))
        if not kept or (pair[0] > kept[-1][0] and pair[1] > kept[-1][1]):
            kept.append(pair)
    return kept
