"""The sending end of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from shared.attempt import Attempt
from shared.claim import Claim, new_join_id
from shared.clock import CallClock
from shared.errors import BadInputError, HeadCallError, UnreachableError
from shared.latency import Latency
from shared.lifeline import Lifeline
from shared.link import Link
from shared.link_config import LinkSettings, link_settings
from shared.link_stats import LinkStats
from shared.messages import (
    CHUNK_LIMIT,
    IMAGE_TYPES,
    REFERENCE_LIMIT,
    Accepted,
    Calibration,
    Message,
    Ping,
    Refusal,
    Welcome,
)
from shared.outgoing import Outgoing
from shared.params import Frame, Params
from shared.race import race
from shared.reference_transfer import announce, chunks
from shared.signalling import CallAddress, Joined, NoAnswerError, NobodyError, leave
from shared.tally import Tally
from shared.tasks import spawn
from shared.voice import OpusPacket
from shared.wire_errors import UnexpectedError

T = TypeVar("T")

# How much of the photograph may wait in the channel: enough to keep it busy.
REFERENCE_BUFFER = 4 * CHUNK_LIMIT
REFERENCE_TIMEOUT_S = 60.0
# Attempts that were answered come at longer and longer intervals: where a thin link is the reason
# that they take long, each one more slows down the others.
SLOWER = 1.5
SLOWEST = 2.0


class CallSender:
    """A call as its sender sees it; made by :meth:`connect`.

    Attributes:
        wants_reference: whether the receiver asked for a photograph.
        clock: the call clock; capture times of frames are read from it.
    """

    def __init__(
        self,
        address: CallAddress,
        clock: CallClock,
        settings: LinkSettings,
        face_model: str,
        latency: Latency,
        sound: bool,
    ) -> None:
        self.wants_reference = False
        self.clock = clock
        self._address = address
        self._settings = settings
        self._face_model = face_model
        self._sound = sound
        self._tally = Tally()
        self._lifeline = Lifeline(settings, self._tally, self._start_over, self._reconnect)
        self._join_id = new_join_id()
        self._token: bytes | None = None
        self._joined: Joined | None = None
        self._pause_s = settings.attempt_every_s
        self._outgoing = Outgoing(
            latency, self._send_packet, lambda: self._tally.is_lossy(clock.now_ms())
        )
        self._calibration: Calibration | None = None
        self._photograph: tuple[bytes, str] | None = None
        self._showing: asyncio.Task[None] | None = None
        self._verdict: asyncio.Future[Accepted | Refusal] | None = None
        self._room = asyncio.Event()

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - named in the message
        face_model: str,
        clock: CallClock | None = None,
        settings: LinkSettings | None = None,
        latency: Latency = Latency.LOW,
        sound: bool = False,
    ) -> CallSender:
        """Join the call at a receiver.

        Args:
            url: the receiver's address, such as ``http://localhost:8080``, or the link it printed.
            timeout: seconds everything together may take.
            face_model: fingerprint of the face model that frames will be fitted with.
            clock: the call clock, when frames are captured already.
            settings: timings and limits of the link.
            latency: how long frames may wait for one another.
            sound: whether there will be sound to send.

        Raises:
            UnreachableError: nobody there, busy, or no connection in time.
            BadInputError: not an address, or the receiver runs another version.
        """
        settings = settings or link_settings()
        address = CallAddress.parse(url, settings.ca_file)
        call = cls(address, clock or CallClock(), settings, face_model, latency, sound)
        try:
            async with asyncio.timeout(timeout):
                await call._race(_is_still_trying)
        except TimeoutError as error:
            was_answered = call._joined is not None
            await call.close("joining took too long")
            if not was_answered:
                raise UnreachableError(f"{address} did not answer within {timeout:g} s") from error
            raise UnreachableError(
                f"{address} answered, but no connection came about within {timeout:g} s; "
                "a firewall may be in the way, or the network loses too much"
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
        self._photograph = data, mime
        self._show_photograph()
        verdict = await self._or_ended(self._verdict, REFERENCE_TIMEOUT_S)
        if isinstance(verdict, Refusal):
            raise BadInputError(verdict.message)

    async def send_calibration(self, origin: Params) -> None:
        """Send the parameters of the frame the identity was taken from."""
        self._calibration = Calibration.of(origin)
        if (link := self._lifeline.current) is not None:
            link.send(self._calibration)

    def send_frame(self, frame: Frame) -> bool:
        """Send a frame, as soon as those that share its packet are there.

        Args:
            frame: sequence and capture time may not fall.

        Returns:
            False when it was skipped: the link is stalled or silent, or the call is over. An old
            frame that waits in a queue is worth less than the next one.
        """
        if self._lifeline.current is None or self._lifeline.is_over():
            return False
        if self._is_stalled():
            self._tally.frames_skipped += 1
            return False
        self._outgoing.add(frame)
        return True

    def send_voice(self, packet: OpusPacket) -> None:
        """Send a packet of sound; left out where a frame would be: the face goes first."""
        link = self._lifeline.current
        if link is not None and link.voice is not None and not self._is_stalled():
            link.voice.put(packet)

    def _is_stalled(self) -> bool:
        link = self._lifeline.current
        return (
            link is None
            or self._lifeline.reconnecting
            or link.params is None
            or link.params.readyState != "open"
            or link.params.bufferedAmount > self._settings.stalled_bytes
        )

    def _send_packet(self, packet: bytes, frames: int) -> bool:
        link = self._lifeline.current
        if link is None or self._lifeline.is_over() or self._is_stalled():
            self._tally.frames_skipped += frames
            return False
        link.send_packet(packet, frames)
        return True

    def stats(self) -> LinkStats:
        """Return the figures of the call so far."""
        return self._tally.stats(self._tally.clock.offset_ms, self.clock.now_ms())

    @property
    def frames_still(self) -> int:
        """How many frames were not sent because the face was still."""
        return self._outgoing.frames_still

    @property
    def said_bye(self) -> bool:
        """Whether the receiver ended the call with a goodbye, and not by vanishing."""
        return self._lifeline.said_bye

    @property
    def reconnecting(self) -> bool:
        """Whether the receiver is silent, and looked for, at the moment."""
        return self._lifeline.reconnecting

    async def wait_closed(self) -> str:
        """Wait for the end of the call and return its reason."""
        return await asyncio.shield(self._lifeline.closed)

    async def close(self, reason: str) -> None:
        """End the call: what was sent still leaves, then the connection is closed."""
        self._outgoing.flush()
        await self._lifeline.close(reason)
        joined, self._joined = self._joined, None
        if joined is not None and joined.location is not None:
            await leave(self._address, joined.location)

    async def _race(self, may_retry: Callable[[BaseException], bool]) -> None:
        """Get a welcomed link, by as many attempts as it takes, and let it carry the call."""
        self._pause_s = self._settings.attempt_every_s
        carried = False
        while not carried:
            link, welcome = await race(
                self._attempt, lambda: self._pause_s, self._settings.attempts, may_retry
            )
            carried = self._lifeline.carry(link)
        self._take_up(link, welcome)

    async def _attempt(self) -> tuple[Link, Welcome]:
        if self._lifeline.is_over():
            raise UnreachableError(f"the call ended: {await self.wait_closed()}")
        attempt = Attempt(
            self.clock.now_ms, self._on_message, self._settings, self._tally, self._sound
        )
        self._lifeline.add(attempt.link)
        welcome = await attempt.run(
            self._address,
            lambda offer: Claim.of(self._join_id, self._token, offer),
            self._face_model,
            self._on_answer,
        )
        return attempt.link, welcome

    def _on_answer(self, joined: Joined) -> None:
        self._joined = joined
        self._pause_s = min(self._pause_s * SLOWER, SLOWEST * self._settings.attempt_every_s)

    def _take_up(self, link: Link, welcome: Welcome) -> None:
        """Go on with the call on a link that the receiver has just welcomed."""
        if self._token is None:
            self.wants_reference = welcome.wants_reference
        self._token = welcome.resume_token
        assert link.reference is not None
        link.reference.bufferedAmountLowThreshold = REFERENCE_BUFFER - CHUNK_LIMIT
        link.reference.on("bufferedamountlow", self._room.set)
        self._start_over()
        if self._verdict is not None and not self._verdict.done():
            if welcome.wants_reference:
                self._show_photograph()
            else:  # taken, but the word of it was lost with the link before
                self._verdict.set_result(Accepted("0" * 64))
        if self._calibration is not None:
            link.send(self._calibration)

    def _start_over(self) -> None:
        # After a silence nobody knows which frames arrived: the next one has to stand alone.
        self._outgoing.start_over()

    async def _reconnect(self) -> None:
        """Look for another link; ends with the call when the receiver will not have it back."""
        try:
            await self._race(_is_not_refused)
        except HeadCallError as error:
            self._lifeline.end(str(error))

    def _show_photograph(self) -> None:
        """Send the photograph from its beginning on the link of the moment."""
        link = self._lifeline.current
        assert self._photograph is not None
        if self._showing is not None:
            self._showing.cancel()
        if link is not None:
            self._showing = spawn(self._send_photograph(link, *self._photograph), "photograph")

    async def _send_photograph(self, link: Link, data: bytes, mime: str) -> None:
        link.send(announce(data, mime))
        for chunk in chunks(data):
            await self._wait_for_room(link)
            link.send(chunk)

    async def _wait_for_room(self, link: Link) -> None:
        channel = link.reference
        assert channel is not None
        while channel.bufferedAmount > REFERENCE_BUFFER - CHUNK_LIMIT:
            self._room.clear()
            room = asyncio.ensure_future(self._room.wait())
            try:
                await self._or_ended(room, REFERENCE_TIMEOUT_S)
            finally:
                room.cancel()

    async def _or_ended(self, future: asyncio.Future[T], timeout_s: float) -> T:
        """Return a future's result, or raise with the reason when the call ends before."""
        closed = self._lifeline.closed
        both: set[asyncio.Future[Any]] = {future, closed}
        await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        if closed.done():
            raise UnreachableError(f"the call ended: {closed.result()}")
        raise UnreachableError(f"{self._address} did not answer within {timeout_s:g} s")

    def _on_message(self, link: Link, message: Message) -> None:
        if isinstance(message, Ping):
            return
        verdict = self._verdict
        if isinstance(message, Accepted | Refusal) and verdict is not None and not verdict.done():
            verdict.set_result(message)
            return
        raise UnexpectedError(f"a {type(message).__name__.lower()} message has no place here")


def _is_still_trying(error: BaseException) -> bool:
    """Return whether joining may yet succeed: the network failed, and somebody is there."""
    return isinstance(error, NoAnswerError) and not isinstance(error, NobodyError)


def _is_not_refused(error: BaseException) -> bool:
    """Return whether a call may yet be taken up again: a receiver can be back in a minute."""
    return isinstance(error, NoAnswerError)
