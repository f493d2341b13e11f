"""When each received frame is shown: in order, without the stale, never far behind.

Pure logic: every method is told the time, so it is tested without sleeping. The rules:

* a frame is due at its capture time, plus the smallest recent delay, plus a target that lets 95 %
  of the frames come in time (`receiver.jitter`);
* of the frames that are due only the newest is shown: a generator slower than the stream then
  skips frames instead of falling behind;
* a frame that is not there when it is due is drawn between its neighbours when the next one has
  come, and for a short while beyond the newest when none has (`receiver.motion`); across a longer
  gap the last picture is held;
* a frame that would be shown more than ``stale_ms`` after the moment the smallest recent delay
  would have allowed is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from receiver.jitter import SmallestDelay, TargetDelay
from receiver.motion import GUESSED_MS, between, beyond, detail_between
from shared.params import Frame

CAPACITY = 32
STALE_MS = 300.0
# What a generator takes from a frame's due time to its picture, on a slow machine.
PAINT_MS = 50.0
# Share of the distance of two frames by which one may be late before it is drawn without it.
PATIENCE = 0.5
FRAME_MS = 40.0  # between two frames, until two have come
LEAST_FRAME_MS = 10.0  # whatever a peer says


@dataclass(slots=True)
class PlayoutCounts:
    """What became of the frames, counted from the start of the call.

    Attributes:
        received: frames given to the playout.
        duplicate: same sequence as a frame still waiting.
        late: came after itself or a later frame was shown.
        stale: too far behind to be worth showing.
        skipped: left out because a newer frame was due or the queue was full.
        predicted: shown without having come in time.
    """

    received: int = 0
    duplicate: int = 0
    late: int = 0
    stale: int = 0
    skipped: int = 0
    predicted: int = 0


class Playout:
    """Orders frames and says which one to show now.

    Attributes:
        counts: what became of the frames.
        due_ms: when the frame that ``pop`` returned last was due; who pops may read it.
    """

    def __init__(self, least_ms: float, stale_ms: float = STALE_MS) -> None:
        """Start a call.

        Args:
            least_ms: frames are held at least this long beyond the smallest delay.
            stale_ms: no picture is shown later than this beyond the smallest delay.
        """
        self.counts = PlayoutCounts()
        self._stale_ms = stale_ms - PAINT_MS
        self._smallest = SmallestDelay()
        self._target = TargetDelay(least_ms, max(least_ms, self._stale_ms - 10))
        self._waiting: list[Frame] = []  # by sequence; never longer than CAPACITY
        self._newest: Frame | None = None  # the newest that came, and the one before it
        self._before: Frame | None = None
        self._shown: Frame | None = None
        self.due_ms = 0.0

    @property
    def delay_ms(self) -> float:
        """How long frames are held now, beyond the smallest delay."""
        return self._target.value()

    def push(self, frame: Frame, received_ms: float) -> None:
        """Take a frame that has just arrived."""
        self.counts.received += 1
        delay_ms = received_ms - frame.captured_ms
        self._smallest.add(delay_ms, received_ms)
        if self._is_stale(frame, received_ms):
            self.counts.stale += 1
            return
        self._target.add(delay_ms - self._smallest.value())
        if self._newest is None or frame.sequence > self._newest.sequence:
            self._before, self._newest = self._newest, frame
        if self._shown is not None and frame.sequence <= self._shown.sequence:
            self.counts.late += 1
        elif any(other.sequence == frame.sequence for other in self._waiting):
            self.counts.duplicate += 1
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
            return self._take(self._predict(now_ms))
        newest = due[-1]
        frame = self._waiting[newest]
        self.counts.skipped += newest
        del self._waiting[: newest + 1]
        if self._is_stale(frame, now_ms):
            self.counts.stale += 1
            return None
        return self._take(frame)

    def next_due_ms(self) -> float | None:
        """Return when ``pop`` is next worth calling; None while nothing is to come."""
        times = [self._due_ms(frame) for frame in self._waiting]
        if (missed_ms := self._missed_ms()) is not None:
            times.append(missed_ms)
        return min(times, default=None)

    def _missed_ms(self) -> float | None:
        """Return when the frame after the one shown will be given up; None where it is there."""
        shown, newest = self._shown, self._newest
        if shown is None or newest is None:
            return None
        next_ms = shown.captured_ms + self._interval_ms()
        if self._waiting:
            if self._waiting[0].sequence == shown.sequence + 1:
                return None
        elif self._before is None or next_ms > newest.captured_ms + GUESSED_MS:
            return None
        return self.show_at_ms(next_ms) + PATIENCE * self._interval_ms()

    def _predict(self, now_ms: float) -> Frame | None:
        """Return a frame in place of one that is missing."""
        missed_ms, shown, newest = self._missed_ms(), self._shown, self._newest
        if missed_ms is None or now_ms < missed_ms or shown is None or newest is None:
            return None
        # After a pause the frame that belongs here and now, not all those before it.
        late_ms = now_ms - self.show_at_ms(shown.captured_ms)
        steps = max(int(late_ms / self._interval_ms()), 1)
        if self._waiting:
            following = self._waiting[0]
            steps = min(steps, following.sequence - shown.sequence - 1)
            at_ms = round(shown.captured_ms + steps * self._interval_ms())
            params = between(shown, following, at_ms)
            detail = detail_between(shown, following, at_ms)
        else:
            assert self._before is not None
            at_ms = round(shown.captured_ms + steps * self._interval_ms())
            params, detail = beyond(self._before, newest, at_ms), newest.detail
        self.counts.predicted += 1
        return Frame(shown.sequence + steps, at_ms, params, detail)

    def _take(self, frame: Frame | None) -> Frame | None:
        if frame is not None:
            self._shown, self.due_ms = frame, self._due_ms(frame)
        return frame

    def _interval_ms(self) -> float:
        """Return the time between two frames."""
        before, newest = self._before, self._newest
        if before is None or newest is None:
            return FRAME_MS
        apart = newest.captured_ms - before.captured_ms
        return max(apart / (newest.sequence - before.sequence), LEAST_FRAME_MS)

    def _due_ms(self, frame: Frame) -> float:
        return self.show_at_ms(frame.captured_ms)

    def show_at_ms(self, captured_ms: float) -> float:
        """Return when a moment of the call clock is shown, on the receiver's clock."""
        return captured_ms + self._smallest.value() + self._target.value()

    def _is_stale(self, frame: Frame, now_ms: float) -> bool:
        return now_ms - frame.captured_ms - self._smallest.value() > self._stale_ms
