"""When the other side was last heard, and what it misses, as seen below the messages.

Acknowledgements are signs of life too, and the only ones that say that what this side sends gets
through: a sender goes by them alone, since a peer that can be heard and cannot hear is no use to
it. They lie inside DTLS, so nobody else can fake them. One that has a gap says, a round trip after
it happened, that something was lost or overtaken. This file wraps one private method of aiortc's
SCTP transport.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import SackChunk


class Pulse:
    """Tells of the signs of life of one connection's peer."""

    def __init__(
        self,
        connection: RTCPeerConnection,
        beat: Callable[[], None],
        missed: Callable[[], None] = lambda: None,
        *,
        only_acknowledgements: bool,
    ) -> None:
        """Listen from now on.

        Args:
            connection: one that has a data channel transport.
            beat: called for every sign of life.
            missed: called when the peer says that it misses something.
            only_acknowledgements: count nothing else as one.
        """
        sctp: Any = connection.sctp
        self._beat = beat
        self._missed = missed
        self._only_acknowledgements = only_acknowledgements
        self._receive_chunk: Callable[[Any], Awaitable[None]] = sctp._receive_chunk
        sctp._receive_chunk = self._listening

    async def _listening(self, chunk: Any) -> None:
        if not self._only_acknowledgements or isinstance(chunk, SackChunk):
            self._beat()
        if isinstance(chunk, SackChunk) and chunk.gaps:
            self._missed()
        await self._receive_chunk(chunk)
