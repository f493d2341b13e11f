"""The receiving end of a call."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import deque
from functools import partial
from typing import Protocol

from aiortc import RTCSessionDescription

from shared.claim import Claim, new_resume_token
from shared.clock import monotonic_ms
from shared.errors import BadInputError
from shared.lifeline import Lifeline
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
    Ping,
    Reference,
    Refusal,
    Welcome,
)
from shared.params import Frame, Params
from shared.reference_transfer import Assembly
from shared.sdp import SignallingError, check_description
from shared.tally import Tally
from shared.tasks import spawn
from shared.voice_inbox import VoicePacket
from shared.wire import FrameDecoder
from shared.wire_errors import UnexpectedError, WireError

log = logging.getLogger(__name__)

PROOFS_KEPT = 256


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

    def on_voice(self, packet: VoicePacket) -> None:
        """Take a packet of sound, at most twice as many as an honest caller sends."""

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
    """A call as its receiver sees it: one caller, over one or more links.

    Attributes:
        sounds: whether the caller has announced sound.
    """

    def __init__(self, handler: CallHandler, settings: LinkSettings | None = None) -> None:
        """Wait for a caller's first offer.

        Args:
            handler: takes what the caller sends.
            settings: timings and limits of the link.
        """
        self.sounds = False
        self._handler = handler
        self._settings = settings or link_settings()
        self._tally = Tally()
        self._lifeline = Lifeline(self._settings, self._tally, lambda: None)
        self._lifeline.closed.add_done_callback(self._on_closed)
        self._decoder = FrameDecoder()
        self._stage = _Stage.HELLO
        self._assembly: Assembly | None = None
        self._origin: bytes | None = None
        self._claim: Claim | None = None
        self._token = new_resume_token()
        self._proofs: deque[str] = deque(maxlen=PROOFS_KEPT)
        self._checked = asyncio.Event()
        self._offered_ms = 0.0
        self._hurrying: asyncio.Task[None] | None = None

    @classmethod
    async def answer(
        cls, offer_sdp: str, handler: CallHandler, settings: LinkSettings | None = None
    ) -> tuple[CallReceiver, str]:
        """Answer the offer of a caller who makes no other.

        Returns:
            The call, which connects by itself, and the session description to answer with.

        Raises:
            SignallingError: the offer cannot be used; ``status`` is the HTTP status to give.
        """
        call = cls(handler, settings)
        return call, await call.take(offer_sdp)

    async def take(self, offer_sdp: str, claim: Claim | None = None) -> str:
        """Answer an offer of this call's caller with another link.

        Args:
            offer_sdp: the offer.
            claim: what came with it; that of a call's first offer makes the call its own.

        Returns:
            The session description to answer with.

        Raises:
            SignallingError: the offer cannot be used; ``status`` is the HTTP status to give.
        """
        check_description(offer_sdp)
        self._claim = self._claim or claim
        if claim is not None and claim.proof:
            self._proofs.append(claim.proof)
        link = Link(
            monotonic_ms,
            self._on_message,
            self._on_packet,
            self._settings,
            self._tally,
            sends_frames=False,
        )
        connection = link.connection
        connection.on("datachannel", link.adopt)
        link.on_voice = partial(self._on_voice, link)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
            if connection.sctp is None:
                raise SignallingError("the offer has no data channels")
            await connection.setLocalDescription(await connection.createAnswer())
        # aiortc documents no errors for a bad description; several types occur.
        except Exception as error:
            await connection.close()
            raise SignallingError(f"the offer cannot be used: {str(error)[:200]}") from error
        self.sounds |= any(one.kind == "audio" for one in connection.getTransceivers())
        link.watch()
        self._lifeline.add(link)
        self._offered_ms = monotonic_ms()
        if self._hurrying is None:
            self._hurrying = spawn(self._hurry(), "waiting for a caller")
        answer: str = connection.localDescription.sdp
        return answer

    def owns(self, claim: Claim, offer_sdp: str) -> bool:
        """Return whether an offer is this call's: another try to join, or to take it up again."""
        if self._lifeline.is_over():
            return False
        # The id was sent over HTTP, so it is good only until there is something to take over.
        if self._lifeline.current is None and self._claim is not None:
            return self._claim.is_same_try(claim)
        # Who overhears a signed offer and posts it again could not use the connection, but would
        # push out others that are on their way.
        return claim.proof not in self._proofs and claim.is_proven(self._token, offer_sdp)

    def stats(self) -> LinkStats:
        """Return the figures of the call so far."""
        offset_ms = self._tally.clock.offset_ms
        return self._tally.stats(None if offset_ms is None else -offset_ms, monotonic_ms())

    def is_over(self) -> bool:
        """Return whether the call is ending or has ended."""
        return self._lifeline.is_over()

    @property
    def reconnecting(self) -> bool:
        """Whether the caller is silent at the moment."""
        return self._lifeline.reconnecting

    async def wait_closed(self) -> str:
        """Wait for the end of the call and return its reason."""
        return await asyncio.shield(self._lifeline.closed)

    async def close(self, reason: str) -> None:
        """End the call: the caller is told why, then the connection is closed."""
        await self._lifeline.close(reason)

    async def _hurry(self) -> None:
        """End a call whose caller takes the place and then never gets to use it."""
        join_s, first_ms = self._settings.join_s, self._offered_ms
        while self._lifeline.current is None and not self._lifeline.is_over():
            # Each further try has its own time, but a place is not held by tries without end.
            until_ms = min(self._offered_ms + join_s * 1000, first_ms + 2 * join_s * 1000)
            left_s = (until_ms - monotonic_ms()) / 1000
            if left_s <= 0:
                await self.close(f"the caller did not connect within {join_s:g} s")
                return
            await asyncio.wait({self._lifeline.closed}, timeout=left_s)

    def _on_message(self, link: Link, message: Message) -> None:
        if isinstance(message, Hello) and not link.greeted:
            self._greet(link, message)
            return
        self._use(link)
        stage = self._stage
        if isinstance(message, Ping):
            return
        if isinstance(message, Reference) and stage is _Stage.REFERENCE:
            self._assembly = Assembly(message)
            self._stage = _Stage.CHUNKS
        elif isinstance(message, Chunk) and stage is _Stage.CHUNKS:
            self._take_chunk(message)
        elif isinstance(message, Calibration) and stage is _Stage.CALIBRATION:
            origin = message.params()
            self._origin = message.origin
            self._stage = _Stage.CHECKING
            spawn(self._calibrate(origin), "calibration")
        elif isinstance(message, Calibration) and message.origin == self._origin:
            log.debug("the calibration came again")  # as it does on every new link
        else:
            raise UnexpectedError(f"a {type(message).__name__.lower()} message has no place here")

    def _use(self, link: Link) -> None:
        """Let a link carry the call: a caller sends more than a hello on one of its links only.

        Raises:
            UnexpectedError: there was no hello on it.
        """
        if not link.greeted:
            raise UnexpectedError("the first message of a connection is a hello")
        before = self._lifeline.current
        self._lifeline.carry(link)
        if self._lifeline.current is not before and self._stage is _Stage.CHUNKS:
            self._assembly = None
            self._stage = _Stage.REFERENCE

    def _greet(self, link: Link, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            self._refuse(
                link,
                "version",
                f"the receiver speaks version {PROTOCOL_VERSION} of the call protocol and the "
                f"sender version {hello.version}; install the same HeadCall on both sides",
            )
        elif hello.face_model != self._handler.face_model:
            self._refuse(
                link,
                "face_model",
                "the two sides have different face models; install the same HeadCall on both",
            )
        else:
            link.greeted = True
            if self._stage is _Stage.HELLO:
                wants = self._handler.wants_reference
                self._stage = _Stage.REFERENCE if wants else _Stage.CALIBRATION
            spawn(self._welcome(link), "welcoming a caller")

    async def _welcome(self, link: Link) -> None:
        # While a photograph is checked nobody knows yet whether it has to be sent again.
        while self._assembling() is None:
            self._checked.clear()
            await self._checked.wait()
        link.send(Welcome(PROTOCOL_VERSION, bool(self._assembling()), self._token))

    def _assembling(self) -> bool | None:
        """Return whether the photograph is still to come; None while it is checked."""
        if self._stage is _Stage.CHECKING and self._origin is None:
            return None
        return self._stage in (_Stage.REFERENCE, _Stage.CHUNKS)

    def _take_chunk(self, chunk: Chunk) -> None:
        assert self._assembly is not None
        try:
            complete = self._assembly.add(chunk)
        except WireError as error:
            self._refuse(self._lifeline.current, "reference", str(error))
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
            self._refuse(self._lifeline.current, "reference", str(error))
        except Exception:
            sentence = "the receiver failed to use the photograph"
            self._refuse(self._lifeline.current, "reference", sentence)
            raise
        else:
            self._stage = _Stage.CALIBRATION
            if (link := self._lifeline.current) is not None:
                link.send(Accepted(announced.sha256))
        finally:
            self._checked.set()

    async def _calibrate(self, origin: Params) -> None:
        await self._handler.on_calibration(origin)
        self._stage = _Stage.FRAMES

    def _refuse(self, link: Link | None, code: str, sentence: str) -> None:
        self._stage = _Stage.REFUSED
        if link is not None:
            link.send(Refusal(code, sentence[:TEXT_LIMIT]))
            spawn(self._part(link, sentence), "refusing a call")

    async def _part(self, link: Link, sentence: str) -> None:
        await link.close(sentence)
        await self.close(sentence)

    def _on_packet(self, link: Link, packet: bytes) -> None:
        received_ms = monotonic_ms()
        self._use(link)
        # Decoded even when it comes before the calibration: later frames may build on its key.
        frames = self._decoder.decode(packet)
        link.count_packet(packet, len(frames))
        if self._stage is not _Stage.FRAMES:
            return
        for frame in frames:
            try:
                self._handler.on_frame(frame, received_ms)
            # An error here would end aiortc's receive loop, and with it the call.
            except Exception:
                log.exception("showing frame %d failed", frame.sequence)

    def _on_voice(self, link: Link, packet: VoicePacket) -> None:
        if link is self._lifeline.current and self._stage is _Stage.FRAMES:
            self._handler.on_voice(packet)

    def _on_closed(self, closed: asyncio.Future[str]) -> None:
        self._handler.on_closed(closed.result())
