"""Points of several clips as one curve a codec, and what can be read off it."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.scores import METRICS, Metric

Point = dict[str, Any]

# A clip's point for each of these is the best that costs no more: quality at a given link. A clip
# whose floor costs more is in with its floor, since less the codec cannot send.
CAPS_KBPS = (15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)
_FIELDS = ("payload_kbps", "wire_kbps", "reference_bytes", *(metric.key for metric in METRICS))


def codec_curve(points: list[Point]) -> list[Point]:
    """Return the mean over clips at a codec's floor and at each cap, cheapest first.

    Args:
        points: those of one codec, all clips.
    """
    clips = _by_clip(points)
    steps = [("floor", [own[0] for own in clips])]
    for cap in CAPS_KBPS:
        best = [max((p for p in own if p["wire_kbps"] <= cap), key=_rate, default=own[0])
                for own in clips]  # fmt: skip
        if best != steps[-1][1]:
            steps.append((f"{cap:g} kbps or floor", best))
    return [{"at": name, **mean(chosen)} for name, chosen in steps]


def own_curve(points: list[Point]) -> list[Point]:
    """Return the mean over clips of each of our settings, cheapest first."""
    settings = dict.fromkeys(point["setting"] for point in points)
    means = [
        {"at": name, **mean([point for point in points if point["setting"] == name])}
        for name in settings
    ]
    return sorted(means, key=_rate)


def mean(points: list[Point]) -> dict[str, float | None]:
    """Return the mean of every figure over points; None where one of them has none."""
    found: dict[str, float | None] = {}
    for name in _FIELDS:
        values = [point[name] for point in points]
        found[name] = None if None in values else float(np.mean(values))
    return found


def at_rate(points: list[Point], wire_kbps: float) -> Point:
    """Return the best point of one clip and codec that costs no more; its floor otherwise."""
    ordered = sorted(points, key=_rate)
    return max((p for p in ordered if _rate(p) <= wire_kbps), key=_rate, default=ordered[0])


def rate_for(curve: list[Point], metric: Metric, quality: float) -> float | None:
    """Return the rate at which a curve reaches a quality.

    Between two points the quality is taken to follow the logarithm of the rate.

    Returns:
        kbps on the wire; the floor's if that is good enough, None if the whole curve is not.
    """
    sign = 1.0 if metric.higher else -1.0
    before: tuple[float, float] | None = None
    for point in curve:
        rate, reached = np.log(_rate(point)), sign * point[metric.key]
        if reached >= sign * quality:
            if before is None:
                return float(np.exp(rate))
            share = (sign * quality - before[1]) / (reached - before[1])
            return float(np.exp(before[0] + share * (rate - before[0])))
        before = rate, reached
    return None


def spread(point: Point, seconds: float | None) -> float:
    """Return a point's rate with its reference picture spread over a call.

    Args:
        point: the point.
        seconds: how long the call is; None leaves the reference out.
    """
    extra = 0.0 if seconds is None else point["reference_bytes"] * 8 / seconds / 1000
    return _rate(point) + extra


def _rate(point: Point) -> float:
    return float(point["wire_kbps"])


def _by_clip(points: list[Point]) -> list[list[Point]]:
    clips = dict.fromkeys(point["clip"] for point in points)
    return [
        sorted((point for point in points if point["clip"] == clip), key=_rate) for clip in clips
    ]
