"""One try to reach the receiver: a connection of its own, from its offer to the welcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from aiortc import RTCSessionDescription

from shared.claim import Claim
from shared.errors import BadInputError, UnreachableError
from shared.link import PARAMS_CHANNEL, REFERENCE_CHANNEL, Link
from shared.link_config import LinkSettings
from shared.messages import PROTOCOL_VERSION, Hello, Message, Refusal, Welcome
from shared.sdp import without_extensions
from shared.signalling import CallAddress, Joined, NoAnswerError, RefusedError, join
from shared.tally import Tally
from shared.wire_errors import UnexpectedError

T = TypeVar("T")

# The race it runs in ends an attempt far earlier.
ANSWER_S = 60.0


class Attempt:
    """A link in the making, at the caller's end.

    Attributes:
        link: the link; the call's own once the receiver has welcomed it.
    """

    def __init__(
        self,
        now_ms: Callable[[], float],
        on_message: Callable[[Link, Message], None],
        settings: LinkSettings,
        tally: Tally,
        sends_sound: bool = False,
    ) -> None:
        """Make the connection, without a word to anybody.

        Args:
            now_ms: the call clock.
            on_message: takes what comes after the welcome.
            settings: timings and limits.
            tally: counts of the call.
            sends_sound: whether the caller has sound to send.
        """
        loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._open: asyncio.Future[None] = loop.create_future()
        self._reply: asyncio.Future[Welcome | Refusal] = loop.create_future()
        self.link = Link(
            now_ms,
            self._take,
            _refuse_packet,
            settings,
            tally,
            sends_frames=True,
            sends_sound=sends_sound,
        )

    async def run(
        self,
        address: CallAddress,
        sign: Callable[[str], Claim],
        face_model: str,
        on_answer: Callable[[Joined], None],
    ) -> Welcome:
        """Connect and be welcomed; the connection is closed when that fails or is cancelled.

        Args:
            address: where the receiver listens.
            sign: says which call an offer belongs to.
            face_model: fingerprint of the face model.
            on_answer: told the receiver's answer as soon as it is there.

        Raises:
            NoAnswerError: nobody answered, or the connection was lost.
            RefusedError: the receiver will not take the call.
            BadInputError: it runs another version.
            UnreachableError: what answered is no receiver.
        """
        try:
            await self._offer(address, sign, on_answer)
            await self._or_lost(self._open)
            self.link.send(Hello(PROTOCOL_VERSION, face_model))
            reply = await self._or_lost(self._reply)
            if isinstance(reply, Refusal):
                kind = RefusedError if reply.code == "busy" else BadInputError
                raise kind(f"{address} refused the call: {reply.message}")
        except BaseException:
            self.link.end("this try failed")
            raise
        return reply

    async def _offer(
        self,
        address: CallAddress,
        sign: Callable[[str], Claim],
        on_answer: Callable[[Joined], None],
    ) -> None:
        connection = self.link.connection
        reference = connection.createDataChannel(REFERENCE_CHANNEL)
        reference.on("open", self._opened)
        self.link.adopt(reference)
        self.link.adopt(
            connection.createDataChannel(PARAMS_CHANNEL, ordered=False, maxRetransmits=0)
        )
        await self.link.describe(await connection.createOffer())
        self.link.watch()
        offer = without_extensions(connection.localDescription.sdp)
        joined = await join(address, offer, ANSWER_S, sign(offer))
        on_answer(joined)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(joined.answer, "answer"))
        # aiortc documents no errors for a bad description; several types occur.
        except Exception as error:
            if self.link.is_over():
                raise NoAnswerError("the connection was closed while it was made") from error
            raise UnreachableError(f"{address} answered with nonsense ({error})") from error

    async def _or_lost(self, future: asyncio.Future[T]) -> T:
        """Return a future's result, or raise when the connection is lost before."""
        both: set[asyncio.Future[Any]] = {future, self.link.closed}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        raise NoAnswerError(f"the connection was lost: {self.link.closed.result()}")

    def _opened(self) -> None:
        if not self._open.done():
            self._open.set_result(None)

    def _take(self, link: Link, message: Message) -> None:
        if isinstance(message, Welcome | Refusal) and not self._reply.done():
            self._reply.set_result(message)
        else:
            self._on_message(link, message)


def _refuse_packet(link: Link, packet: bytes) -> None:
    raise UnexpectedError("a receiver sends no frame packets")
