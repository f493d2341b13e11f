"""The thread that owns the generator during a call."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from receiver.playout import Playout
from shared.clock import monotonic_ms
from shared.params import Frame

log = logging.getLogger(__name__)

Job = Callable[[], None]
_MAX_JOBS = 4
_JOIN_S = 10.0


class Painter:
    """Runs jobs, then frames as they fall due, on one thread.

    ONNX Runtime releases the interpreter lock while it computes, so the event loop keeps running
    beside it. One thread for everything that touches the generator makes locks around it
    needless, and joining it means that nothing of the call is left.
    """

    def __init__(self, playout: Playout, paint: Callable[[Frame], None]) -> None:
        self._playout = playout
        self._paint = paint
        self._jobs: deque[tuple[Job, Future[None]]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._failures = 0
        # A daemon: a generator that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Future[None]:
        """Run a job on the thread before any further frame.

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
        """Finish the picture at hand and end the thread; blocks until it has."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            log.error("the generator has not returned for %.0f s and is left behind", _JOIN_S)
        for _, future in self._jobs:
            future.cancel()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            if isinstance(work, Frame):
                self._paint_guarded(work)
            else:
                _run_job(*work)

    def _next(self) -> tuple[Job, Future[None]] | Frame | None:
        with self._changed:
            while not self._stopping:
                if self._jobs:
                    return self._jobs.popleft()
                now = monotonic_ms()
                frame = self._playout.pop(now)
                if frame is not None:
                    return frame
                due = self._playout.next_due_ms()
                # Never zero: a due time a rounding error away must not spin.
                self._changed.wait(None if due is None else max((due - now) / 1000.0, 0.0005))
            return None

    def _paint_guarded(self, frame: Frame) -> None:
        try:
            self._paint(frame)
            self._failures = 0
        except Exception as error:  # one bad frame must not end the call
            self._failures += 1
            if self._failures == 1:
                log.exception("frame %d could not be painted: %s", frame.sequence, error)


def _run_job(job: Job, future: Future[None]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        job()
    except BaseException as error:  # whatever it was, it belongs to who waits for the job
        future.set_exception(error)
    else:
        future.set_result(None)
