"""One call: what the transport tells it, turned into pictures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from receiver.figures import Figures
from receiver.hearing import Hearing
from receiver.painter import Painter
from receiver.picture import Picture, with_mark
from receiver.playout import Playout
from receiver.portrait import Geometry, Portrait
from receiver.sinks import Sinks
from receiver.stillness import Stillness
from shared.clock import monotonic_ms
from shared.errors import BadInputError
from shared.link_stats import LinkStats
from shared.params import Floats, Frame, Params
from shared.pictures import PEER_MAX_BYTES, PEER_MAX_PIXELS, Image, decode_picture
from shared.tasks import spawn
from shared.transport import CallReceiver
from shared.voice_inbox import VoicePacket

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Sketch:
    """A frame that is drawn but not painted yet, with what it sounds like."""

    sequence: int
    captured_ms: int
    due_ms: float
    drawn: Geometry
    heard: Floats | None


class Call:
    """A ``CallHandler`` for one caller.

    Every call has a painter, a playout and figures of its own, so that nothing of an earlier
    caller can reach a later one.
    """

    def __init__(
        self,
        portrait: Portrait,
        sinks: Sinks,
        playout: Playout,
        figures: Figures,
        *,
        wants_reference: bool,
        face_model: str,
        on_end: Callable[[Call], None],
    ) -> None:
        """Get ready for a caller.

        Args:
            portrait: the photograph and its generator; used on the painter's thread only.
            sinks: where pictures and sound go.
            playout: orders the frames.
            figures: counts them.
            wants_reference: the sender has to bring the photograph.
            face_model: fingerprint of the face model that the frames must belong to.
            on_end: called on the event loop when nothing of the call is left.
        """
        self.wants_reference = wants_reference
        self.face_model = face_model
        self.figures = figures
        self.playout = playout
        self.hearing = Hearing(sinks.hear, playout.show_at_ms)
        self.link: CallReceiver | None = None
        self.began = False
        self.reason: str | None = None
        self._portrait = portrait
        self._sinks = sinks
        self._on_end = on_end
        self._origin: Params | None = None
        self._final: LinkStats | None = None
        self._clock_offset_ms: float | None = None
        self._stillness = Stillness()
        self._painter = Painter(playout, self._draw, self._paint, self._show, portrait.lanes)
        prepared = self._painter.submit(portrait.forget if wants_reference else portrait.restart)
        prepared.add_done_callback(_log_failure)

    @property
    def reconnecting(self) -> bool:
        """Whether the caller is silent at the moment, and may yet come back."""
        return self.link is not None and self.link.reconnecting and self.reason is None

    def connect(self, link: CallReceiver) -> None:
        """Tell the call which link it runs on."""
        self.link = link

    def link_stats(self) -> LinkStats | None:
        """Return what the link carried until the call ended; None before there is one."""
        if self._final is not None or self.link is None:
            return self._final
        return self.link.stats()

    def sample(self) -> None:
        """Take the running figures; called once a second."""
        if (link := self.link_stats()) is not None:
            self._clock_offset_ms = link.clock_offset_ms
            self.figures.sample(link, monotonic_ms())

    async def hang_up(self, reason: str) -> None:
        """End the call from this side."""
        if self.link is not None:
            await self.link.close(reason)
        self.on_closed(reason)

    async def on_reference(self, data: bytes, mime: str) -> None:
        """Take the sender's photograph.

        Raises:
            BadInputError: it cannot be used; the sentence is for the sender's user.
        """
        if not self.wants_reference:
            raise BadInputError("this receiver already has its photograph; send none")
        if len(data) > PEER_MAX_BYTES:
            raise BadInputError("the photograph is larger than 1 MiB; send a smaller one")

        def take() -> None:
            self._portrait.take(decode_picture(data, PEER_MAX_PIXELS))

        try:
            await asyncio.wrap_future(self._painter.submit(take))
        except RuntimeError as error:
            raise BadInputError("the receiver is busy with an earlier photograph") from error

    async def on_calibration(self, origin: Params) -> None:
        """Take the parameters that the sender's frames are relative to."""
        self.began = True
        if self.link is not None and self.link.sounds:
            self._sinks.expect_sound()
        self._origin = origin

    def on_frame(self, frame: Frame, received_ms: float) -> None:
        """Take a frame; those before the photograph and the calibration cannot be shown."""
        if self._origin is None or not self._portrait.ready or self.reason is not None:
            return
        if self._clock_offset_ms is None and (link := self.link_stats()) is not None:
            self._clock_offset_ms = link.clock_offset_ms
        self._painter.offer(frame, received_ms)

    def on_voice(self, packet: VoicePacket) -> None:
        """Take a packet of sound."""
        if self.reason is None and (link := self.link_stats()) is not None:
            self.hearing.take(packet, link)

    def on_closed(self, reason: str) -> None:
        """The link is gone; finish in the background."""
        if self.reason is None:
            self.hearing.stop()
            self._final = self.link_stats()  # its rates must not fall while files are written
            self.reason = reason
            log.debug("finishing the call: %s", reason)
            spawn(self._finish(), "finish the call")

    async def _finish(self) -> None:
        try:
            await asyncio.to_thread(self._stop)
        finally:
            self._on_end(self)

    def _stop(self) -> None:
        self._painter.stop()
        self._sinks.end_call()

    def _draw(self, frame: Frame) -> _Sketch:
        assert self._origin is not None
        heard = self.hearing.features(frame.captured_ms)
        drawn = self._portrait.draw(frame.params, self._origin, frame.detail)
        return _Sketch(frame.sequence, frame.captured_ms, self.playout.due_ms, drawn, heard)

    def _paint(self, sketch: _Sketch) -> tuple[_Sketch, Image]:
        return sketch, with_mark(self._portrait.paint(sketch.drawn, sketch.heard))

    def _show(self, painted: tuple[_Sketch, Image]) -> None:
        sketch, image = painted
        now = monotonic_ms()
        latency = None
        if self._clock_offset_ms is not None:
            latency = now - sketch.captured_ms - self._clock_offset_ms
        still = self._stillness.apply(image)
        picture = Picture(sketch.sequence, sketch.captured_ms, latency, still)
        self.figures.show(picture, now, now - sketch.due_ms)
        self._sinks.show(picture)


def _log_failure(prepared: Future[None]) -> None:
    if not prepared.cancelled() and (error := prepared.exception()) is not None:
        log.error("the photograph could not be made ready again: %s", error, exc_info=error)
