from __future__ import annotations

import threading

import pytest

from receiver.painter import Painter
from receiver.playout import Playout
from shared.clock import monotonic_ms
from shared.params import Frame
from tests.receiving import frame

WAIT_S = 10


class Canvas:
    """Remembers what was painted and shown, and lets a test wait for it or hold it up."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.shown: list[int] = []
        self.painted = threading.Semaphore(0)
        self.may_paint = threading.Event()
        self.may_paint.set()
        self.slow: dict[int, threading.Event] = {}

    def painter(self, lanes: int = 1) -> Painter[Frame, int]:
        return Painter(Playout(0), lambda item: item, self.paint, self.shown.append, lanes)

    def paint(self, item: Frame) -> int:
        assert self.may_paint.wait(WAIT_S)
        self.sequences.append(item.sequence)
        self.painted.release()
        if item.sequence == 13:
            raise RuntimeError("unlucky")
        if item.sequence in self.slow:
            assert self.slow[item.sequence].wait(WAIT_S)
        return item.sequence


def test_frames_are_painted_and_the_thread_ends() -> None:
    canvas = Canvas()
    painter = canvas.painter()
    for n in range(3):
        painter.offer(frame(n), monotonic_ms())
        assert canvas.painted.acquire(timeout=WAIT_S)
    painter.stop()
    assert canvas.sequences == canvas.shown == [0, 1, 2]
    assert not any(thread.name.startswith("painter") for thread in threading.enumerate())


def test_a_job_runs_before_waiting_frames_and_its_error_reaches_who_asked() -> None:
    canvas, order = Canvas(), []
    painter = canvas.painter()
    hold = threading.Event()
    first = painter.submit(lambda: order.append(hold.wait(WAIT_S)))
    painter.offer(frame(0), monotonic_ms())
    second = painter.submit(lambda: order.append(list(canvas.sequences)))
    failing = painter.submit(lambda: 1 // 0)
    hold.set()
    first.result(WAIT_S)
    second.result(WAIT_S)
    assert order == [True, []]
    with pytest.raises(ZeroDivisionError):
        failing.result(WAIT_S)
    painter.stop()


def test_a_frame_that_cannot_be_painted_does_not_end_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    canvas = Canvas()
    painter = canvas.painter()
    for n in (13, 14):
        painter.offer(frame(n), monotonic_ms())
        assert canvas.painted.acquire(timeout=WAIT_S)
    painter.stop()
    assert canvas.sequences == [13, 14]
    assert canvas.shown == [14]
    assert "frame 13 could not be painted: unlucky" in caplog.text


def test_while_a_picture_is_being_made_only_the_newest_frame_waits() -> None:
    canvas = Canvas()
    painter = canvas.painter()
    canvas.may_paint.clear()
    start = monotonic_ms()
    for n in range(8):
        painter.offer(frame(n, captured_ms=n), start)
    canvas.may_paint.set()
    assert canvas.painted.acquire(timeout=WAIT_S)
    painter.stop()
    assert canvas.sequences[-1] == 7 or len(canvas.sequences) < 8


def test_lanes_paint_side_by_side_and_show_in_order() -> None:
    canvas = Canvas()
    canvas.slow[0] = threading.Event()
    painter = canvas.painter(lanes=2)
    for n in range(2):
        painter.offer(frame(n), monotonic_ms())
        assert canvas.painted.acquire(timeout=WAIT_S)  # both are under way
    assert canvas.shown == []  # the second is done or not: it waits for the first
    canvas.slow[0].set()
    painter.stop()
    assert canvas.shown == [0, 1]


def test_one_that_fails_in_a_lane_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    canvas = Canvas()
    canvas.slow[12] = threading.Event()
    painter = canvas.painter(lanes=2)
    for n in (12, 13):
        painter.offer(frame(n), monotonic_ms())
        assert canvas.painted.acquire(timeout=WAIT_S)
    canvas.slow[12].set()
    painter.offer(frame(14), monotonic_ms())
    assert canvas.painted.acquire(timeout=WAIT_S)
    painter.stop()
    assert canvas.shown == [12, 14]
    assert "frame 13 could not be painted" in caplog.text


def test_a_job_waits_until_nothing_is_painted() -> None:
    canvas = Canvas()
    canvas.slow = {0: threading.Event(), 1: threading.Event()}
    painter = canvas.painter(lanes=2)
    for n in range(2):
        painter.offer(frame(n), monotonic_ms())
        assert canvas.painted.acquire(timeout=WAIT_S)
    seen: list[list[int]] = []
    job = painter.submit(lambda: seen.append(list(canvas.shown)))
    canvas.slow[1].set()
    with pytest.raises(TimeoutError):
        job.result(0.05)
    canvas.slow[0].set()
    job.result(WAIT_S)
    assert seen == [[0, 1]]
    painter.stop()


def test_jobs_are_bounded_and_cancelled_at_the_end() -> None:
    painter = Canvas().painter()
    hold = threading.Event()
    started = threading.Event()
    painter.submit(lambda: (started.set(), hold.wait(WAIT_S), None)[-1])
    assert started.wait(WAIT_S)
    waiting = [painter.submit(lambda: None) for _ in range(4)]
    with pytest.raises(RuntimeError):
        painter.submit(lambda: None)
    stopper = threading.Thread(target=painter.stop)
    stopper.start()
    while True:  # stop() has taken effect when jobs are refused for that reason
        with pytest.raises(RuntimeError):
            painter.submit(lambda: None)
        if painter._stopping:
            break
    hold.set()
    stopper.join(WAIT_S)
    assert all(future.cancelled() for future in waiting)
