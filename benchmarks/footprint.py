"""What a whole call takes of the machine: start-up, memory, CPU of both of its processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.call import ReceiverReport, run_call
from benchmarks.child import Child
from benchmarks.processes import Usage, cpu_per_s, usage
from shared.clock import monotonic_ms
from shared.errors import BadInputError
from shared.latency import Latency

LEAST_S = 3.0
# The clip's own pace, above what a sender sends by default too.
PACE = ["--max-fps", "60"]
# After the first picture both ends still settle: pings, first frames, the clip's first read.
SETTLE_MS = 1000.0


class Watch:
    """Takes the usage of both processes while the call runs."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Usage]] = {"sender": [], "receiver": []}
        self.started_ms: dict[str, float] = {}
        self.ready_ms = 0.0

    def ready(self) -> None:
        """The receiver answers; the sender is about to start."""
        self.ready_ms = monotonic_ms()

    def look(self, receiver: Child, sender: Child) -> None:
        """Take a sample of both."""
        self.started_ms = {"sender": sender.started_ms, "receiver": receiver.started_ms}
        try:
            both = {"sender": usage(sender.pid), "receiver": usage(receiver.pid)}
        except ProcessLookupError:  # it has just ended
            return
        for side, one in both.items():
            self.samples[side].append(one)

    def between(self, start_ms: float, end_ms: float) -> dict[str, list[Usage]]:
        """Return each side's samples of a span of time."""
        return {
            side: [one for one in samples if start_ms <= one.at_ms <= end_ms]
            for side, samples in self.samples.items()
        }


def footprint(
    clip: Path,
    folder: Path,
    seconds: float,
    engine: str,
    preset: str,
    tick: Callable[[], None] = lambda: None,
    latency: Latency = Latency.NORMAL,
) -> dict[str, Any]:
    """Make a call between two processes and return what it took.

    Nobody watches it and nothing is written, so this is the least that a call takes.

    Args:
        clip: what the sender plays, again and again.
        folder: takes logs and reports; exists.
        seconds: how long the sender sends.
        engine: the receiver's.
        preset: the receiver's.
        tick: called ten times a second.
        latency: the sender's setting.

    Returns:
        `startup_s`: seconds from the receiver's start until it answers (`receiver`), and from the
        sender's until the first rebuilt picture (`first_picture`). For both sides, from a second
        after the first picture on: `cpu_s_per_s`, CPU seconds a second of the call, and
        `memory_mb`, what is in RAM at its end. `sent_fps` and `call_fps`: frames and pictures a
        second. `latency_ms`: from capture to picture, `p50`, `p95` and `p99`.

    Raises:
        BadInputError: the call was too short.
        ChildFailedError: an end failed.
    """
    watch = Watch()
    call = run_call(
        clip,
        folder,
        seconds,
        watch.ready,
        tick,
        latency,
        loop=True,
        film=False,
        serve=["--engine", engine, "--preset", preset],
        send=PACE,
        watch=watch.look,
    )
    return weigh(watch, call.receiver) | {"sent_fps": call.sender.sender_fps}


def weigh(watch: Watch, report: ReceiverReport) -> dict[str, Any]:
    """Return the figures of a call that is over; see `footprint`.

    Args:
        watch: watched it.
        report: the receiver's.

    Raises:
        BadInputError: the call was too short.
    """
    shown_ms = [frame.shown_ms for frame in report.frames]
    first_ms, last_ms = (shown_ms[0], shown_ms[-1]) if shown_ms else (0.0, 0.0)
    steady = watch.between(first_ms + SETTLE_MS, last_ms)
    if min(map(len, steady.values())) < 2:
        raise BadInputError("the call was too short to measure: give it more seconds")
    started = watch.started_ms
    return {
        "startup_s": {
            "receiver": (watch.ready_ms - started["receiver"]) / 1000,
            "first_picture": (first_ms - started["sender"]) / 1000,
        },
        "memory_mb": {side: samples[-1].rss_mb for side, samples in steady.items()},
        "cpu_s_per_s": {side: cpu_per_s(samples) for side, samples in steady.items()},
        "call_fps": report.receiver_fps,
        "latency_ms": report.latency_ms.model_dump(),
    }
