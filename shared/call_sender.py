"""The sending end of a call."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from aiortc import RTCSessionDescription

from shared.clock import CallClock
from shared.errors import BadInputError, HeadCallError, UnreachableError
from shared.link import PARAMS_CHANNEL, REFERENCE_CHANNEL, Link
from shared.link_config import LinkSettings, link_settings
from shared.link_stats import LinkStats
from shared.messages import (
    CHUNK_LIMIT,
    IMAGE_TYPES,
    PROTOCOL_VERSION,
    REFERENCE_LIMIT,
    Accepted,
    Calibration,
    Hello,
    Message,
    Refusal,
    Welcome,
)
from shared.params import Frame, Params
from shared.reference_transfer import announce, chunks
from shared.signalling import CallAddress, Joined, join, leave
from shared.wire import FrameEncoder
from shared.wire_errors import UnexpectedError

T = TypeVar("T")

# How much of the photograph may wait in the channel: enough to keep it busy.
REFERENCE_BUFFER = 4 * CHUNK_LIMIT
REFERENCE_TIMEOUT_S = 60.0


class CallSender:
    """A call as its sender sees it; made by :meth:`connect`.

    Attributes:
        wants_reference: whether the receiver asked for a photograph.
        clock: the call clock; capture times of frames are read from it.
    """

    def __init__(self, address: CallAddress, clock: CallClock, settings: LinkSettings) -> None:
        self.wants_reference = False
        self.clock = clock
        self._address = address
        self._settings = settings
        self._joined: Joined | None = None
        self._encoder = FrameEncoder()
        self._link = Link(clock.now_ms, self._on_message, _refuse_packet, settings)
        loop = asyncio.get_running_loop()
        self._open: asyncio.Future[None] = loop.create_future()
        self._welcome: asyncio.Future[Welcome | Refusal] = loop.create_future()
        self._verdict: asyncio.Future[Accepted | Refusal] | None = None
        self._room = asyncio.Event()

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - also given to the HTTP request inside
        face_model: str,
        clock: CallClock | None = None,
        settings: LinkSettings | None = None,
    ) -> CallSender:
        """Join the call at a receiver.

        Args:
            url: the receiver's address, such as ``http://localhost:8080``, or the link it printed.
            timeout: seconds everything together may take.
            face_model: fingerprint of the face model that frames will be fitted with.
            clock: the call clock, when frames are captured already.
            settings: timings and limits of the link.

        Raises:
            UnreachableError: nobody there, busy, or no connection in time.
            BadInputError: not an address, or the receiver runs another version.
        """
        settings = settings or link_settings()
        address = CallAddress.parse(url, settings.ca_file)
        call = cls(address, clock or CallClock(), settings)
        try:
            async with asyncio.timeout(timeout):
                await call._join(timeout)
                await call._greet(face_model)
        except TimeoutError as error:
            await call.close("joining took too long")
            raise UnreachableError(
                f"{address} answered, but no connection came about within {timeout:g} s"
            ) from error
        except BaseException:
            await call.close("joining failed")
            raise
        return call

    async def send_reference(self, data: bytes, mime: str) -> None:
        """Send the photograph and wait until the receiver uses it.

        Args:
            data: an encoded picture, at most REFERENCE_LIMIT bytes.
            mime: ``image/jpeg``, ``image/png`` or ``image/webp``.

        Raises:
            BadInputError: too large, of another type, or refused; the receiver's sentence.
            UnreachableError: the call ended meanwhile.
        """
        if not 0 < len(data) <= REFERENCE_LIMIT or mime not in IMAGE_TYPES:
            raise BadInputError(
                f"a reference is a JPEG, PNG or WebP picture of at most {REFERENCE_LIMIT} bytes"
            )
        self._verdict = asyncio.get_running_loop().create_future()
        self._link.send(announce(data, mime))
        for chunk in chunks(data):
            await self._wait_for_room()
            self._link.send(chunk)
        verdict = await self._or_ended(self._verdict, REFERENCE_TIMEOUT_S)
        if isinstance(verdict, Refusal):
            raise BadInputError(verdict.message)

    async def send_calibration(self, origin: Params) -> None:
        """Send the parameters of the frame the identity was taken from."""
        self._link.send(Calibration.of(origin))

    def send_frame(self, frame: Frame) -> bool:
        """Send a frame.

        Args:
            frame: sequence and capture time may not fall.

        Returns:
            False when it was skipped: the link is stalled or the call is over. An old frame
            that waits in a queue is worth less than the next one.
        """
        channel = self._link.params
        if channel is None or channel.readyState != "open" or self._link.is_over():
            return False
        if channel.bufferedAmount > self._settings.stalled_bytes:
            self._link.frames_skipped += 1
            return False
        self._link.send_packet(self._encoder.encode(frame))
        return True

    def stats(self) -> LinkStats:
        """Return the figures of the call so far."""
        return self._link.stats(self._link.clock.offset_ms)

    @property
    def said_bye(self) -> bool:
        """Whether the receiver ended the call with a goodbye, and not by vanishing."""
        return self._link.said_bye

    async def wait_closed(self) -> str:
        """Wait for the end of the call and return its reason."""
        return await asyncio.shield(self._link.closed)

    async def close(self, reason: str) -> None:
        """End the call: what was sent still leaves, then the connection is closed."""
        await self._link.close(reason)
        joined, self._joined = self._joined, None
        if joined is not None and joined.location is not None:
            await leave(self._address, joined.location)

    async def _join(self, timeout_s: float) -> None:
        connection = self._link.connection
        reference = connection.createDataChannel(REFERENCE_CHANNEL)
        reference.on("open", self._on_open)
        reference.bufferedAmountLowThreshold = REFERENCE_BUFFER - CHUNK_LIMIT
        reference.on("bufferedamountlow", self._room.set)
        self._link.adopt(reference)
        self._link.adopt(
            connection.createDataChannel(PARAMS_CHANNEL, ordered=False, maxRetransmits=0)
        )
        await connection.setLocalDescription(await connection.createOffer())
        self._link.watch()
        self._joined = await join(self._address, connection.localDescription.sdp, timeout_s)
        try:
            await connection.setRemoteDescription(
                RTCSessionDescription(self._joined.answer, "answer")
            )
        # aiortc documents no errors for a bad description; several types occur.
        except Exception as error:
            raise UnreachableError(f"{self._address} answered with nonsense ({error})") from error

    async def _greet(self, face_model: str) -> None:
        await self._or_ended(self._open, None)
        self._link.start_pings()
        self._link.send(Hello(PROTOCOL_VERSION, face_model))
        answer = await self._or_ended(self._welcome, None)
        if isinstance(answer, Refusal):
            kind: type[HeadCallError] = BadInputError
            if answer.code == "busy":
                kind = UnreachableError
            raise kind(f"{self._address} refused the call: {answer.message}")
        self.wants_reference = answer.wants_reference

    async def _or_ended(self, future: asyncio.Future[T], timeout_s: float | None) -> T:
        """Return a future's result, or raise with the reason when the call ends before."""
        closed = self._link.closed
        both: set[asyncio.Future[Any]] = {future, closed}
        await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        if closed.done():
            raise UnreachableError(f"the call ended: {closed.result()}")
        raise UnreachableError(f"{self._address} did not answer within {timeout_s:g} s")

    async def _wait_for_room(self) -> None:
        channel = self._link.reference
        assert channel is not None
        while channel.bufferedAmount > REFERENCE_BUFFER - CHUNK_LIMIT:
            self._room.clear()
            room = asyncio.ensure_future(self._room.wait())
            try:
                await self._or_ended(room, REFERENCE_TIMEOUT_S)
            finally:
                room.cancel()

    def _on_open(self) -> None:
        if not self._open.done():
            self._open.set_result(None)

    def _on_message(self, message: Message) -> None:
        if isinstance(message, Welcome | Refusal) and not self._welcome.done():
            self._welcome.set_result(message)
            return
        verdict = self._verdict
        if isinstance(message, Accepted | Refusal) and verdict is not None and not verdict.done():
            verdict.set_result(message)
            return
        raise UnexpectedError(f"a {type(message).__name__.lower()} message has no place here")


def _refuse_packet(packet: bytes) -> None:
    raise UnexpectedError("a receiver sends no frame packets")
