"""How late frames come: the smallest recent delay, and how long it pays to wait beyond it."""

from __future__ import annotations

from collections import deque

import numpy as np

RECENT_MS = 10_000.0
_BUCKET_MS = 1_000.0
WINDOW = 256  # frames, ten seconds of them
LATE_SHARE = 5.0  # percent of the frames that come too late for their place
FALL_MS = 1.0  # a frame: a target that falls at once would skip pictures


class SmallestDelay:
    """The smallest (received - captured) of the last ten seconds, in constant memory.

    The two clocks are not the same, so the value is a delay only up to a constant; a window, and
    not the whole call, because clocks drift and routes change.
    """

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, float]] = deque(maxlen=int(RECENT_MS / _BUCKET_MS))

    def add(self, delay_ms: float, now_ms: float) -> None:
        """Take one frame's delay into account."""
        bucket = int(now_ms // _BUCKET_MS)
        if self._buckets and self._buckets[-1][0] == bucket:
            self._buckets[-1] = (bucket, min(delay_ms, self._buckets[-1][1]))
        else:
            self._buckets.append((bucket, delay_ms))
        while self._buckets[0][0] <= bucket - RECENT_MS / _BUCKET_MS:
            self._buckets.popleft()

    def value(self) -> float:
        """Return the smallest delay; 0 before the first frame."""
        return min((delay for _, delay in self._buckets), default=0.0)


class TargetDelay:
    """How long frames are held beyond the smallest delay, so that 95 % come in time.

    Frames that share a packet come together; how long the first of them waited at the sender is
    part of its delay, so the target finds the sender's setting by itself.
    """

    def __init__(self, least_ms: float, most_ms: float) -> None:
        self._least_ms, self._most_ms = least_ms, most_ms
        self._excess: deque[float] = deque(maxlen=WINDOW)
        self._value = least_ms

    def add(self, excess_ms: float) -> None:
        """Take a frame that came so much later than the smallest delay."""
        self._excess.append(excess_ms)
        wanted = float(np.percentile(self._excess, 100 - LATE_SHARE, method="higher"))
        wanted = min(max(wanted, self._least_ms), self._most_ms)
        self._value = max(wanted, self._value - FALL_MS)

    def value(self) -> float:
        """Return the target, milliseconds."""
        return self._value
