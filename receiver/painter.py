"""The threads that own the generator during a call."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from receiver.playout import Playout
from shared.clock import monotonic_ms
from shared.params import Frame

log = logging.getLogger(__name__)

Job = Callable[[], None]
Drawn = TypeVar("Drawn")
Painted = TypeVar("Painted")

_MAX_JOBS = 4
_JOIN_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Stroke(Generic[Drawn]):
    """A frame on its way through a lane.

    Attributes:
        number: the frame's sequence.
        drawn: its geometry.
        before: set once the frame before it has been shown, or never will be.
        after: the same of this one.
    """

    number: int
    drawn: Drawn
    before: threading.Event
    after: threading.Event


class Painter(Generic[Drawn, Painted]):
    """Runs jobs, and draws, paints and shows frames as they fall due.

    Drawing takes frames in their order, so one thread does it, and the jobs. Painting takes most of
    the time and knows of no other frame: up to ``lanes`` frames are painted at the same time. They
    are shown in their order. No frame is taken before there is a lane for it, since a newer one may
    come. A job waits until nothing is painted, so that what it does to the generator needs no
    locks; joining the threads means that nothing of the call is left. ONNX Runtime releases the
    interpreter lock while it computes, so the event loop keeps running beside it.
    """

    def __init__(
        self,
        playout: Playout,
        draw: Callable[[Frame], Drawn],
        paint: Callable[[Drawn], Painted],
        show: Callable[[Painted], None],
        lanes: int = 1,
    ) -> None:
        """Start the threads.

        Args:
            playout: says which frame is due.
            draw: takes a frame; called on one thread.
            paint: takes what was drawn; called on ``lanes`` threads.
            show: takes what was painted; called by one thread at a time, in the frames' order.
            lanes: how many frames may be painted at the same time.
        """
        self._playout = playout
        self._draw, self._paint, self._show = draw, paint, show
        self._lanes = lanes
        self._jobs: deque[tuple[Job, Future[None]]] = deque()
        self._changed = threading.Condition()
        self._strokes: SimpleQueue[_Stroke[Drawn] | None] = SimpleQueue()
        self._under_way = 0
        self._last = threading.Event()
        self._last.set()
        self._stopping = False
        self._failures = 0
        # Daemons: a generator that hangs must not keep the process from ending.
        self._threads = [threading.Thread(target=self._run, name="painter", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"painter's lane {number}", daemon=True)
            for number in range(lanes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> Future[None]:
        """Run a job before any further frame.

        Raises:
            RuntimeError: the painter has stopped, or a peer keeps it busy with jobs.
        """
        future: Future[None] = Future()
        with self._changed:
            if self._stopping or len(self._jobs) >= _MAX_JOBS:
                raise RuntimeError("the painter takes no more jobs")
            self._jobs.append((job, future))
            self._changed.notify()
        return future

    def offer(self, frame: Frame, received_ms: float) -> None:
        """Give a received frame; never blocks for longer than a queue operation."""
        with self._changed:
            self._playout.push(frame, received_ms)
            self._changed.notify()

    def stop(self) -> None:
        """Finish the pictures at hand and end the threads; blocks until they have."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        until = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            log.error("the generator has not returned for %.0f s and is left behind", _JOIN_S)
        for _, future in self._jobs:
            future.cancel()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            if isinstance(work, Frame):
                self._begin(work)
            else:
                _run_job(*work)
        for _ in range(self._lanes):
            self._strokes.put(None)

    def _next(self) -> tuple[Job, Future[None]] | Frame | None:
        with self._changed:
            while not self._stopping:
                if self._jobs:
                    if self._under_way == 0:
                        return self._jobs.popleft()
                    self._changed.wait()
                    continue
                if self._under_way == self._lanes:
                    self._changed.wait()
                    continue
                now = monotonic_ms()
                frame = self._playout.pop(now)
                if frame is not None:
                    return frame
                due = self._playout.next_due_ms()
                # Never zero: a due time a rounding error away must not spin.
                self._changed.wait(None if due is None else max((due - now) / 1000.0, 0.0005))
            return None

    def _begin(self, frame: Frame) -> None:
        """Draw a frame and give it to the lanes."""
        try:
            drawn = self._draw(frame)
        except Exception as error:  # one bad frame must not end the call
            self._fail(frame.sequence, error)
            return
        before, self._last = self._last, threading.Event()
        with self._changed:
            self._under_way += 1
        self._strokes.put(_Stroke(frame.sequence, drawn, before, self._last))

    def _work(self) -> None:
        """Paint what is drawn, as one lane of several."""
        while (stroke := self._strokes.get()) is not None:
            try:
                painted = self._paint(stroke.drawn)
                stroke.before.wait()
                self._show(painted)
                self._failures = 0
            except Exception as error:
                self._fail(stroke.number, error)
            stroke.before.wait()
            stroke.after.set()
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def _fail(self, number: int, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            log.error("frame %d could not be painted: %s", number, error, exc_info=error)


def _run_job(job: Job, future: Future[None]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        job()
    except BaseException as error:  # whatever it was, it belongs to who waits for the job
        future.set_exception(error)
    else:
        future.set_result(None)
