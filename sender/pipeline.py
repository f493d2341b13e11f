"""One call on the sending side: capture, track, fit, send, from the first face to goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from sender.calibration import Calibration, find_calibration
from sender.capture import Capture, Captured
from sender.figures import Figures
from sender.photograph import MIME, encode_photograph, read_photograph
from sender.sound import Sound, open_sound
from sender.sources import Source, open_source
from sender.status import REFRESH_S, StatusLine
from shared.clock import CallClock
from shared.errors import UnreachableError
from shared.face_model import FaceModel
from shared.follower import Follower
from shared.latency import Latency
from shared.link_config import link_settings
from shared.link_stats import LinkStats
from shared.params import Frame
from shared.tasks import spawn
from shared.tracker import Tracker
from shared.transport import CallSender
from shared.voice import OpusPacket

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for.

    Attributes:
        url: the receiver's address.
        source: camera number or path.
        ref: a photograph to send in place of the first frame.
        seconds: how long to send; None for no end.
        max_fps: most frames a second.
        loop: play a file again and again.
        timeout_s: how long joining may take.
        latency: how long frames may wait for one another.
        ca_file: an authority that may have signed the receiver's certificate.
        sound: send the clip's sound, or the microphone's.
    """

    url: str
    source: str
    ref: Path | None = None
    seconds: float | None = None
    max_fps: float = 25.0
    loop: bool = False
    timeout_s: float = 30.0
    latency: Latency = Latency.NORMAL
    ca_file: Path | None = None
    sound: bool = False


@dataclass(slots=True)
class Outcome:
    """How a call went.

    Attributes:
        figures: what was captured and sent.
        stats: the link's figures; None when there was no call.
        reason: why it ended.
    """

    figures: Figures = field(default_factory=Figures)
    stats: LinkStats | None = None
    reason: str = ""


class Pipeline:
    """Runs one call.

    Attributes:
        outcome: filled while the call runs, so that it is there however the call ends.
    """

    def __init__(self, options: Options, status: StatusLine) -> None:
        self.outcome = Outcome()
        self._options = options
        self._status = status
        self._model = FaceModel.load()
        self._clock = CallClock()
        self.outcome.figures.clock_start_ms = self._clock.start_ms
        self._has_face = True
        self._stopping = threading.Event()
        # The tracker keeps state and is no faster in two threads: everything heavy runs in one.
        self._worker = ThreadPoolExecutor(1, "tracking")
        self._sound: Sound | None = None
        self._call: CallSender | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Make the call.

        Raises:
            BadInputError: the source or the photograph cannot be used, or was refused.
            UnreachableError: the receiver was not reached, or lost.
        """
        options = self._options
        self._loop = asyncio.get_running_loop()
        try:
            photograph = await self._work(lambda: _read_if_given(options.ref))
            source = await self._work(
                lambda: open_source(options.source, options.max_fps, options.loop)
            )
            try:
                if options.sound:
                    # Opened before anybody poses: there may be none.
                    self._sound = await self._work(self._open_sound)
                await self._run_with(source, photograph)
            finally:
                if self._sound is not None:
                    await asyncio.to_thread(self._sound.stop)
                await self._work(source.close)
        finally:
            self._stopping.set()
            self._worker.shutdown()

    async def _run_with(self, source: Source, photograph: bytes | None) -> None:
        tracker = await self._work(Tracker)
        try:
            joining = spawn(self._connect(), "joining the call")
            finding = spawn(
                self._work(lambda: find_calibration(source, tracker, self._model, self._stopping)),
                "calibration",
            )
            call: CallSender | None = None
            try:
                # Joining may fail first, so that nobody poses for a receiver that is not there.
                await _both(joining, finding)
                call, found = joining.result(), finding.result()
                if found is not None:
                    await self._talk(call, source, tracker, found, photograph)
            finally:
                self._stopping.set()
                await _settle(finding)
                if await _settle(joining) and not joining.cancelled():
                    call = joining.result()
                if call is not None:
                    await call.close(self.outcome.reason or "the caller left")
                    self.outcome.stats = call.stats()
                    self.outcome.figures.frames_still = call.frames_still
        finally:
            await self._work(tracker.close)

    async def _connect(self) -> CallSender:
        self.outcome.figures.joining_ms = self._clock.now_ms()
        settings = link_settings()
        if self._options.ca_file is not None:
            settings = settings.model_copy(update={"ca_file": self._options.ca_file})
        return await CallSender.connect(
            self._options.url,
            timeout=self._options.timeout_s,
            face_model=self._model.fingerprint,
            clock=self._clock,
            latency=self._options.latency,
            settings=settings,
            sound=self._options.sound,
        )

    def _open_sound(self) -> Sound:
        return open_sound(self._options.source, self._options.loop, self._send_voice)

    def _send_voice(self, packet: OpusPacket) -> None:
        """Send a packet of sound; called from the sound's own thread."""
        if self._call is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended before the thread
                self._loop.call_soon_threadsafe(self._call.send_voice, packet)

    async def _talk(
        self,
        call: CallSender,
        source: Source,
        tracker: Tracker,
        found: Calibration,
        photograph: bytes | None,
    ) -> None:
        self.outcome.figures.crop = found.crop
        self.outcome.figures.calibrated_on = found.sequence
        first = [] if source.is_live else [found.picture]
        capture = Capture(source, self._clock.now_ms, first, found.sequence)
        try:
            if source.is_live:
                # A camera that nobody reads keeps old pictures: read on while the rest is set up.
                capture.start()
            await self._send_photograph(call, found, photograph)
            await call.send_calibration(found.origin)
            follower = await self._work(partial(found.follower, self._model))
            if source.is_live:
                capture.restart()
            else:
                capture.start()
            self._call = call
            if self._sound is not None:
                self._sound.start(self._clock.now_ms, lambda: capture.start_ms)
            await self._send_frames(call, capture, tracker, found, follower)
        finally:
            self.outcome.figures.frames_captured = capture.count
            self.outcome.figures.frames_dropped = capture.queue.dropped
            await asyncio.to_thread(capture.stop)

    async def _send_photograph(
        self, call: CallSender, found: Calibration, photograph: bytes | None
    ) -> None:
        if not call.wants_reference:
            log.info("the receiver shows a photograph of its own; none was sent")
            return
        if photograph is None:
            for flaw in found.flaws:
                log.warning("the photograph: %s; --ref sends a better one", flaw)
        data = photograph or encode_photograph(found.reference())
        self._status.show("sending the photograph…")
        before = call.stats().wire_bytes
        await call.send_reference(data, MIME)
        self.outcome.figures.reference_bytes = len(data)
        self.outcome.figures.reference_wire_bytes = call.stats().wire_bytes - before

    async def _send_frames(
        self,
        call: CallSender,
        capture: Capture,
        tracker: Tracker,
        found: Calibration,
        follower: Follower,
    ) -> None:
        over = spawn(call.wait_closed(), "waiting for the receiver's goodbye")
        sending = spawn(self._send_all(call, capture, tracker, found, follower), "sending frames")
        showing = spawn(self._show_status(call), "status line")
        try:
            await asyncio.wait(
                {over, sending},
                timeout=self._options.seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if over.done():
                self.outcome.reason = over.result()
                if not call.said_bye:
                    raise UnreachableError(f"the call broke off: {over.result()}")
            elif sending.done():
                sending.result()
                # Told to the other side too: no path of this machine.
                ended = (
                    "the camera stopped" if self._options.source.isdecimal() else "the clip ended"
                )
                self.outcome.reason = ended
            else:
                self.outcome.reason = f"{self._options.seconds:g} seconds are over"
        finally:
            self.outcome.figures.ended_ms = self._clock.now_ms()
            for task in (over, sending, showing):
                task.cancel()
            await asyncio.wait({over, sending, showing})

    async def _send_all(
        self,
        call: CallSender,
        capture: Capture,
        tracker: Tracker,
        found: Calibration,
        follower: Follower,
    ) -> None:
        figures = self.outcome.figures
        while (captured := await capture.queue.get()) is not None:
            frame = await self._work(partial(self._fit, captured, tracker, found, follower))
            self._has_face = frame is not None
            if frame is None:
                figures.frames_without_face += 1
            elif call.send_frame(frame):
                figures.sent(self._clock.now_ms())

    def _fit(
        self, captured: Captured, tracker: Tracker, found: Calibration, follower: Follower
    ) -> Frame | None:
        start = time.perf_counter()
        points = tracker.track(captured.image)
        tracked = time.perf_counter()
        frame = None
        if points is not None:
            frame = follower.follow(
                found.crop.cut(captured.image),
                found.crop.to_units(points),
                captured.sequence,
                captured.captured_ms,
            )
        done = time.perf_counter()
        self.outcome.figures.timed(
            (tracked - start) * 1000, None if points is None else (done - tracked) * 1000
        )
        return frame

    async def _show_status(self, call: CallSender) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            self._status.update(
                self.outcome.figures,
                call.stats(),
                self._has_face,
                time.monotonic(),
                reconnecting=call.reconnecting,
            )

    async def _work(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, job)


def _read_if_given(path: Path | None) -> bytes | None:
    return None if path is None else read_photograph(path)


async def _both(first: asyncio.Task[T], second: asyncio.Task[object]) -> None:
    """Wait for two tasks, but only until one of them fails."""
    done, _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _settle(task: asyncio.Task[T]) -> bool:
    """Wait for a task whose result may not be needed any more; True when it did not fail."""
    if not task.done():
        task.cancel()
    await asyncio.wait({task})
    return not task.cancelled() and task.exception() is None
