"""When each received frame is shown: in order, without the stale, never far behind.

Pure logic: every method is told the time, so it is tested without sleeping. The rules of version
1, with a fixed delay:

* a frame is due at its capture time, plus the smallest recent network delay, plus ``delay_ms``;
* of the frames that are due only the newest is shown: a generator slower than the stream then
  skips frames instead of falling behind;
* a frame more than ``stale_ms`` past the moment the smallest recent delay would have allowed is
  not shown.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from shared.params import Frame

CAPACITY = 8
STALE_MS = 300.0
RECENT_MS = 10_000.0
_BUCKET_MS = 1_000.0


@dataclass(slots=True)
class PlayoutCounts:
    """What became of the frames, counted from the start of the call.

    Attributes:
        received: frames given to the playout.
        duplicate: same sequence as a frame still waiting.
        late: came after itself or a later frame was shown.
        stale: too far behind to be worth showing.
        skipped: left out because a newer frame was due or the queue was full.
    """

    received: int = 0
    duplicate: int = 0
    late: int = 0
    stale: int = 0
    skipped: int = 0


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


class Playout:
    """Orders frames and says which one to show now."""

    def __init__(self, delay_ms: float, stale_ms: float = STALE_MS) -> None:
        self.counts = PlayoutCounts()
        self._delay_ms = delay_ms
        self._stale_ms = stale_ms
        self._smallest = SmallestDelay()
        self._waiting: list[Frame] = []  # by sequence; never longer than CAPACITY
        self._last_shown = -1

    def push(self, frame: Frame, received_ms: float) -> None:
        """Take a frame that has just arrived."""
        self.counts.received += 1
        self._smallest.add(received_ms - frame.captured_ms, received_ms)
        if frame.sequence <= self._last_shown:
            self.counts.late += 1
        elif any(other.sequence == frame.sequence for other in self._waiting):
            self.counts.duplicate += 1
        elif self._is_stale(frame, received_ms):
            self.counts.stale += 1
        else:
            self._waiting.append(frame)
            self._waiting.sort(key=lambda other: other.sequence)
            if len(self._waiting) > CAPACITY:
                del self._waiting[0]
                self.counts.skipped += 1

    def pop(self, now_ms: float) -> Frame | None:
        """Return the frame to show now, or None when none is due."""
        due = [i for i, frame in enumerate(self._waiting) if self._due_ms(frame) <= now_ms]
        if not due:
            return None
        newest = due[-1]
        frame = self._waiting[newest]
        self.counts.skipped += newest
        del self._waiting[: newest + 1]
        if self._is_stale(frame, now_ms):
            self.counts.stale += 1
            return None
        self._last_shown = frame.sequence
        return frame

    def next_due_ms(self) -> float | None:
        """Return when ``pop`` is next worth calling; None while nothing waits."""
        return min((self._due_ms(frame) for frame in self._waiting), default=None)

    def _due_ms(self, frame: Frame) -> float:
        return frame.captured_ms + self._smallest.value() + self._delay_ms

    def _is_stale(self, frame: Frame, now_ms: float) -> bool:
        return now_ms - frame.captured_ms - self._smallest.value() > self._stale_ms
