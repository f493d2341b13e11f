"""The receiving end of a call."""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import Protocol

from aiortc import RTCSessionDescription

from shared.clock import monotonic_ms
from shared.errors import BadInputError
from shared.link import Link
from shared.link_config import LinkSettings, link_settings
from shared.link_stats import LinkStats
from shared.messages import (
    PROTOCOL_VERSION,
    TEXT_LIMIT,
    Accepted,
    Calibration,
    Chunk,
    Hello,
    Message,
    Reference,
    Refusal,
    Welcome,
)
from shared.params import Frame, Params
from shared.reference_transfer import Assembly
from shared.sdp import SignallingError, check_description
from shared.tasks import spawn
from shared.wire import FrameDecoder
from shared.wire_errors import UnexpectedError, WireError

log = logging.getLogger(__name__)


class CallHandler(Protocol):
    """What a receiver plugs into a call; everything runs on the event loop.

    Attributes:
        wants_reference: whether the caller shall send a photograph.
        face_model: fingerprint of the face model this side renders with.
    """

    wants_reference: bool
    face_model: str

    async def on_reference(self, data: bytes, mime: str) -> None:
        """Use a photograph; BadInputError sends its sentence as the refusal."""

    async def on_calibration(self, origin: Params) -> None:
        """Take the parameters of the caller's calibration frame; frames follow."""

    def on_frame(self, frame: Frame, received_ms: float) -> None:
        """Take a frame; ``received_ms`` is :func:`shared.clock.monotonic_ms`."""

    def on_closed(self, reason: str) -> None:
        """The call is over; called exactly once."""


class _Stage(enum.Enum):
    """What the caller has to send next."""

    HELLO = enum.auto()
    REFERENCE = enum.auto()
    CHUNKS = enum.auto()
    CHECKING = enum.auto()
    CALIBRATION = enum.auto()
    FRAMES = enum.auto()
    REFUSED = enum.auto()


class CallReceiver:
    """A call as its receiver sees it; made by :meth:`answer`."""

    def __init__(self, handler: CallHandler, settings: LinkSettings) -> None:
        self._handler = handler
        self._settings = settings
        self._decoder = FrameDecoder()
        self._stage = _Stage.HELLO
        self._assembly: Assembly | None = None
        self._link = Link(monotonic_ms, self._on_message, self._on_packet, settings)
        self._link.connection.on("datachannel", self._link.adopt)

    @classmethod
    async def answer(
        cls, offer_sdp: str, handler: CallHandler, settings: LinkSettings | None = None
    ) -> tuple[CallReceiver, str]:
        """Answer a caller's offer.

        Args:
            offer_sdp: the offer.
            handler: takes what the caller sends.
            settings: timings and limits of the link.

        Returns:
            The call, which connects by itself, and the session description to answer with.

        Raises:
            SignallingError: the offer cannot be used; ``status`` is the HTTP status to give.
        """
        check_description(offer_sdp)
        call = cls(handler, settings or link_settings())
        connection = call._link.connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
            if connection.sctp is None:
                raise SignallingError("the offer has no data channels")
            await connection.setLocalDescription(await connection.createAnswer())
        # aiortc documents no errors for a bad description; several types occur.
        except Exception as error:
            await connection.close()
            raise SignallingError(f"the offer cannot be used: {str(error)[:200]}") from error
        call._link.watch()
        call._link.closed.add_done_callback(call._on_closed)
        spawn(call._hurry(), "waiting for a caller")
        return call, connection.localDescription.sdp

    def stats(self) -> LinkStats:
        """Return the figures of the call so far."""
        offset_ms = self._link.clock.offset_ms
        return self._link.stats(None if offset_ms is None else -offset_ms)

    async def wait_closed(self) -> str:
        """Wait for the end of the call and return its reason."""
        return await asyncio.shield(self._link.closed)

    async def close(self, reason: str) -> None:
        """End the call: the caller is told why, then the connection is closed."""
        await self._link.close(reason)

    async def _hurry(self) -> None:
        """End a call whose caller takes the place and then never says hello."""
        await asyncio.wait({self._link.closed}, timeout=self._settings.join_s)
        if self._stage is _Stage.HELLO and not self._link.is_over():
            await self.close(f"the caller did not connect within {self._settings.join_s:g} s")

    def _on_message(self, message: Message) -> None:
        stage = self._stage
        if isinstance(message, Hello) and stage is _Stage.HELLO:
            self._greet(message)
        elif isinstance(message, Reference) and stage is _Stage.REFERENCE:
            self._assembly = Assembly(message)
            self._stage = _Stage.CHUNKS
        elif isinstance(message, Chunk) and stage is _Stage.CHUNKS:
            self._take_chunk(message)
        elif isinstance(message, Calibration) and stage is _Stage.CALIBRATION:
            origin = message.params()
            self._stage = _Stage.CHECKING
            spawn(self._calibrate(origin), "calibration")
        else:
            raise UnexpectedError(f"a {type(message).__name__.lower()} message has no place here")

    def _greet(self, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            self._refuse(
                "version",
                f"the receiver speaks version {PROTOCOL_VERSION} of the call protocol and the "
                f"sender version {hello.version}; install the same HeadCall on both sides",
            )
        elif hello.face_model != self._handler.face_model:
            self._refuse(
                "face_model",
                "the two sides have different face models; install the same HeadCall on both",
            )
        else:
            wants = self._handler.wants_reference
            self._stage = _Stage.REFERENCE if wants else _Stage.CALIBRATION
            self._link.send(Welcome(PROTOCOL_VERSION, wants))
            self._link.start_pings()

    def _take_chunk(self, chunk: Chunk) -> None:
        assert self._assembly is not None
        try:
            complete = self._assembly.add(chunk)
        except WireError as error:
            self._refuse("reference", str(error))
            raise
        if complete:
            self._stage = _Stage.CHECKING
            assembly, self._assembly = self._assembly, None
            spawn(self._use_reference(assembly), "reference")

    async def _use_reference(self, assembly: Assembly) -> None:
        announced = assembly.announced
        try:
            await self._handler.on_reference(assembly.data(), announced.mime)
        except BadInputError as error:
            self._refuse("reference", str(error))
        except Exception:
            self._refuse("reference", "the receiver failed to use the photograph")
            raise
        else:
            self._stage = _Stage.CALIBRATION
            self._link.send(Accepted(announced.sha256))

    async def _calibrate(self, origin: Params) -> None:
        await self._handler.on_calibration(origin)
        self._stage = _Stage.FRAMES

    def _refuse(self, code: str, sentence: str) -> None:
        self._stage = _Stage.REFUSED
        self._link.send(Refusal(code, sentence[:TEXT_LIMIT]))
        spawn(self._link.close(sentence), "refusing a call")

    def _on_packet(self, packet: bytes) -> None:
        received_ms = monotonic_ms()
        # Decoded even when it comes before the calibration: later frames may build on its key.
        frames = self._decoder.decode(packet)
        self._link.count_packet(packet, len(frames))
        if self._stage is not _Stage.FRAMES:
            return
        for frame in frames:
            try:
                self._handler.on_frame(frame, received_ms)
            # An error here would end aiortc's receive loop, and with it the call.
            except Exception:
                log.exception("showing frame %d failed", frame.sequence)

    def _on_closed(self, closed: asyncio.Future[str]) -> None:
        self._handler.on_closed(closed.result())
