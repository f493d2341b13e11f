"""Which way a figure is better, told from its name."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence


class Direction(enum.Enum):
    """Where a figure should go."""

    UP = 1
    DOWN = -1
    NEITHER = 0


# The first rule that a name meets decides; words are those between underscores.
_RULES = (
    # What was asked for, and how much was looked at, is neither good nor bad.
    (r"^(seconds|minutes|seed|tries|callers|count|samples|cores|target_fps|rate_wanted|limit_ms)$",
     Direction.NEITHER),
    (r"^(frames|frames_sent|frames_still|joins|messages|messages_sent|length_s|load_average)$",
     Direction.NEITHER),
    (r"bd_?psnr", Direction.UP),
    (r"fps|psnr|ssim|frames_shown|holds|throughput", Direction.UP),
    (r"kbps|bytes|bd_?rate|(^|_)(ms|s|mb|gb)(_|$)", Direction.DOWN),
    (r"perceptual|identity|lpips|error|noise|shimmer|tremble|percent|distance", Direction.DOWN),
    (r"freeze|stale|reconnects|lost|late|loss|failed|skipped|dropped|without_face|frozen",
     Direction.DOWN),
    (r"cpu|memory|rss|per_hour", Direction.DOWN),
)  # fmt: skip


def direction(parts: Sequence[str]) -> Direction:
    """Return which way a figure is better.

    Args:
        parts: where it stands in the result, its own name last; where that says nothing ("p95"),
            what it stands under decides.
    """
    for part in reversed(parts):
        for pattern, way in _RULES:
            if re.search(pattern, part.lower()):
                return way
    return Direction.NEITHER
