"""How smooth and how fresh a call was: freezes and stale pictures, from when pictures were shown.

All times are milliseconds on one clock; a picture's latency runs from its capture to its showing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

FREEZE_FACTOR = 3.0
FREEZE_EXTRA_MS = 150.0
STALE_MS = 300.0
# "Recent" in "the link's smallest recent delay": the last 10 s in which pictures were shown. What
# is beyond this of a longer gap does not count as time: a long cut must not make the link's delay
# forgotten, or old pictures would pass for fresh ones after it.
RECENT_MS = 10_000.0
GAP_COUNTED_MS = 1000.0

Freeze = tuple[float, float]


def freezes(shown_ms: Sequence[float], end_ms: float) -> list[Freeze]:
    """Return the gaps that a watcher sees as standing still, begin and end.

    A freeze is a gap of at least max(3 x the mean gap, the mean gap + 150 ms); the stretch from
    the last picture to the end of the call is a gap like the others, but not part of the mean.

    Args:
        shown_ms: when each picture was shown, ascending.
        end_ms: when the call ended.
    """
    if not shown_ms:
        return []
    gaps = np.diff(shown_ms)
    mean = float(gaps.mean()) if len(gaps) else 0.0
    least = max(FREEZE_FACTOR * mean, mean + FREEZE_EXTRA_MS)
    times = [*shown_ms, max(end_ms, shown_ms[-1])]
    return [(start, end) for start, end in pairwise(times) if end - start >= least]


def freeze_ratio(shown_ms: Sequence[float], end_ms: float) -> float:
    """Return the share of the call, from its first picture on, that was frozen; 1 without any."""
    if not shown_ms:
        return 1.0
    frozen = sum(end - start for start, end in freezes(shown_ms, end_ms))
    whole = max(end_ms, shown_ms[-1]) - shown_ms[0]
    return frozen / whole if whole > 0 else 0.0


def stale(shown_ms: Sequence[float], latency_ms: Sequence[float]) -> list[int]:
    """Return the indices of pictures that were shown too late to be worth it.

    A picture is stale when its latency is more than 300 ms above the smallest recent one, which is
    what the link (with all that takes its time at both ends) would allow.

    Args:
        shown_ms: when each picture was shown, ascending.
        latency_ms: the latency of each.
    """
    late, clock_ms, before_ms = [], 0.0, None
    recent: deque[tuple[float, float]] = deque()  # latencies that ascend: the first is the least
    for index, (now_ms, latency) in enumerate(zip(shown_ms, latency_ms, strict=True)):
        clock_ms += 0.0 if before_ms is None else min(now_ms - before_ms, GAP_COUNTED_MS)
        before_ms = now_ms
        while recent and recent[-1][1] >= latency:
            recent.pop()
        recent.append((clock_ms, latency))
        while recent[0][0] < clock_ms - RECENT_MS:
            recent.popleft()
        if latency - recent[0][1] > STALE_MS:
            late.append(index)
    return late


def percentiles(latency_ms: Sequence[float]) -> dict[str, float | None]:
    """Return p50, p95 and p99, milliseconds; None without pictures."""
    return {
        f"p{share}": round(float(np.percentile(latency_ms, share)), 1) if latency_ms else None
        for share in (50, 95, 99)
    }
