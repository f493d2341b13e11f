"""Capture-to-picture latencies of a whole call in constant memory."""

from __future__ import annotations

import numpy as np

_LONGEST_MS = 10_000


class Latencies:
    """A histogram of whole milliseconds up to ten seconds."""

    def __init__(self) -> None:
        self._bins = np.zeros(_LONGEST_MS + 1, np.int64)

    def add(self, latency_ms: float) -> None:
        """Count one picture; below 0 (clocks matched badly) counts as 0."""
        self._bins[int(min(max(round(latency_ms), 0), _LONGEST_MS))] += 1

    def percentiles(self) -> dict[str, float | None]:
        """Return p50, p95 and p99 in ms; None where no picture was timed."""
        total = int(self._bins.sum())
        cumulative = np.cumsum(self._bins)
        return {
            f"p{share}": float(np.searchsorted(cumulative, total * share / 100)) if total else None
            for share in (50, 95, 99)
        }
