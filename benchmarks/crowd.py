"""Some calls at the same time on this machine, to a receiver process each or to one for all."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from benchmarks.call import HANG_UP_TIMEOUT_S, READY_TIMEOUT_S
from benchmarks.callers import JOIN_S, SENDING
from benchmarks.child import Child, ChildFailedError
from benchmarks.processes import Usage, cpu_per_s, share_mb, usage
from receiver.outputs import in_room
from shared.clock import monotonic_ms
from shared.latency import Latency

# From when all have joined: playouts find their delay, and the machine comes to rest.
SETTLE_S = 3.0
QUARTERS = 4
_SAMPLE_EVERY_MS = 250.0
_END_S = 30.0
_CALL_LINE = re.compile(r"^Call with: sender (\S+)", re.MULTILINE)


class LateFrame(BaseModel):
    """A picture in a receiver's report."""

    shown_ms: float
    late_ms: float


class Report(BaseModel):
    """What of a receiver's report is needed."""

    frames: list[LateFrame]


class CallersReport(BaseModel):
    """What the callers' process leaves; see `benchmarks.callers`."""

    start_ms: float
    end_ms: float
    lag_p95_ms: float
    sent_fps: float


class Crowd:
    """Receivers and the process of their callers, watched.

    Attributes:
        usages: samples of each receiver, then of the callers.
        shares_mb: each receiver's memory in mid-call, what they share divided among them.
    """

    def __init__(self, receivers: Sequence[Child], callers: Child) -> None:
        self._children = [*receivers, callers]
        self._next_ms = 0.0
        self.usages: list[list[Usage]] = [[] for _ in self._children]
        self.shares_mb: list[float] = []
        self._sending_ms: float | None = None

    def look(self) -> None:
        """Take samples, now and then."""
        for child in self._children:
            child.check()
        now_ms = monotonic_ms()
        if now_ms < self._next_ms:
            return
        self._next_ms = now_ms + _SAMPLE_EVERY_MS
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # the call is over
            for child, samples in zip(self._children, self.usages, strict=True):
                samples.append(usage(child.pid))
            if self._sending_ms is None and SENDING in self._children[-1].output():
                self._sending_ms = now_ms
            if self._sending_ms is None or self.shares_mb:
                return
            if now_ms > self._sending_ms + 1000 * SETTLE_S:
                self.shares_mb = [share_mb(child.pid) for child in self._children[:-1]]


def crowd(
    count: int,
    script: Path,
    folder: Path,
    seconds: float,
    *,
    engine: str = "auto",
    preset: str = "lite",
    latency: Latency = Latency.NORMAL,
    rooms: bool = False,
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Make calls at the same time and return what became of them.

    Args:
        count: how many.
        script: what the callers show, a file of `benchmarks.callers.Script`.
        folder: takes logs and reports; exists.
        seconds: how long to measure, after SETTLE_S.
        engine: the receivers'.
        preset: the receivers'.
        latency: the callers'.
        rooms: one receiver takes all calls, each in a room, and not each a receiver of its own.
        tick: called ten times a second.

    Raises:
        ChildFailedError: a process failed, or a call did not come about.
    """
    calls = [count] if rooms else [1] * count  # that each receiver takes
    asked = [folder / f"receiver-{number}.json" for number in range(len(calls))]
    reports = [
        in_room(report, room)
        for report, most in zip(asked, calls, strict=True)
        for room in (range(1, most + 1) if most > 1 else (0,))
    ]
    told = folder / "callers.json"
    for old in (*reports, told):
        old.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        receivers = [
            stack.enter_context(_receiver(report, engine, preset, most))
            for report, most in zip(asked, calls, strict=True)
        ]
        for one, most in zip(
            receivers, calls, strict=True
        ):  # they start together, on the same cores
            one.wait_until(partial(_is_up, one, most), READY_TIMEOUT_S * count, tick)
        options = ["--report", str(told), "--seconds", str(seconds + SETTLE_S)]
        options += ["--latency", latency.value, str(script)]
        options += [url for one in receivers for url in _urls(one)]
        callers = stack.enter_context(
            Child("callers", options, folder / "callers.log", module="benchmarks.callers")
        )
        watched = Crowd(receivers, callers)

        def look() -> None:
            watched.look()
            tick()

        callers.wait(JOIN_S + SETTLE_S + seconds + _END_S, look)
        for one in receivers:
            one.wait(HANG_UP_TIMEOUT_S, tick)
    sent = _read(told, CallersReport)
    return summarise(watched, [_read(report, Report) for report in reports], sent)


def summarise(watched: Crowd, reports: Sequence[Report], sent: CallersReport) -> dict[str, Any]:
    """Return the figures of calls that are over, from SETTLE_S after all have joined.

    Args:
        watched: the processes' samples.
        reports: of the receivers.
        sent: of their callers.

    Raises:
        ChildFailedError: there was no time to take samples in.
    """
    start_ms, end_ms = sent.start_ms + 1000 * SETTLE_S, sent.end_ms
    frames = [
        [frame for frame in report.frames if start_ms <= frame.shown_ms < end_ms]
        for report in reports
    ]
    late_ms = [[frame.late_ms for frame in shown] for shown in frames]
    every = [late for one in late_ms for late in one]
    usages = [
        [sample for sample in samples if start_ms <= sample.at_ms <= end_ms]
        for samples in watched.usages
    ]
    if min(map(len, usages)) < 2 or not watched.shares_mb:
        raise ChildFailedError("The calls were too short to measure: give them more seconds.", 2)
    *receiving, sending = map(cpu_per_s, usages)
    count, seconds = len(reports), (end_ms - start_ms) / 1000
    fps = [len(shown) / seconds for shown in frames]
    quarters = _quarters(frames, start_ms, end_ms)
    return {
        "callers": count,
        "fps": float(np.mean(fps)),
        "fps_each": [len(shown) * QUARTERS / seconds / count for shown in quarters],
        "fps_least": min(fps),
        **{f"late_p{share}_ms": percentile(every, share) for share in (50, 95, 99)},
        "late_p95_ms_each": [
            percentile([frame.late_ms for frame in shown], 95) for shown in quarters
        ],
        "late_p95_ms_of_callers": [percentile(one, 95) for one in late_ms],
        "fps_of_callers": fps,
        "cpu_s_per_s": sum(receiving) / count,
        "cpu_ms_per_picture": 1000 * sum(receiving) / sum(fps) if every else None,
        "memory_mb": sum(watched.shares_mb) / count,
        "rss_mb": sum(samples[-1].rss_mb for samples in usages[:-1]) / count,
        "sender": {
            "sent_fps": sent.sent_fps,
            "cpu_s_per_s": sending / count,
            "lag_p95_ms": sent.lag_p95_ms,
        },
        "seconds": seconds,
    }


def percentile(values: Sequence[float], share: int) -> float | None:
    """Return a percentile; None where no picture was shown at all."""
    return float(np.percentile(values, share)) if values else None


def _quarters(
    frames: Sequence[Sequence[LateFrame]], start_ms: float, end_ms: float
) -> list[list[LateFrame]]:
    """Return all callers' pictures of each quarter of the time, the repeats of a run."""
    edges = np.linspace(start_ms, end_ms, QUARTERS + 1)
    return [
        [frame for shown in frames for frame in shown if low <= frame.shown_ms < high]
        for low, high in pairwise(edges)
    ]


def _receiver(report: Path, engine: str, preset: str, calls: int) -> Child:
    options = ["--port", "0", "--once", "--report", str(report), "--calls", str(calls)]
    options += ["--engine", engine, "--preset", preset]
    return Child("receiver", options, report.with_suffix(".log"))


def _is_up(receiver: Child, calls: int) -> bool:
    return len(_urls(receiver)) == calls


def _urls(receiver: Child) -> list[str]:
    return _CALL_LINE.findall(receiver.output())


_Kind = TypeVar("_Kind", bound=BaseModel)


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise ChildFailedError(f"The calls left no {path.name}: {error.strerror}", 1) from error
    except ValidationError as error:
        raise ChildFailedError(f"{path.name} is not whole: {error}", 1) from None
