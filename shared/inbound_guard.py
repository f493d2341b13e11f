"""Stops a hostile peer before its data is in memory.

aiortc 1.16 advertises a largest message size and a receive window but enforces neither: a peer
can make it hold a message of any size in any number of pieces, remember any number of gaps, or
spin for ever over a parameter that says it is 0 bytes long. This file, the only one that reaches
into aiortc's SCTP transport for this, looks at every packet before it is parsed, at what is held
after every chunk, and at every message before a channel gets it. It also turns what aiortc raises
on odd input (text that is not UTF-8, a channel opened twice) into the same report instead of a
traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from struct import unpack_from
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import SackChunk

from shared.messages import MESSAGE_LIMIT

log = logging.getLogger(__name__)

# What may wait for a missing piece: four of the longest session messages, which is more than an
# honest sender has in flight.
PENDING_LIMIT = 256 * 1024
# The same in pieces: one of no bytes is held all the same.
PIECE_LIMIT = 512
GAP_LIMIT = 512
STREAM_LIMIT = 8
# More packets than fit into aiortc's receive window, which bounds what we can have in flight.
ACKNOWLEDGED_LIMIT = 1024

# Chunk types with parameters (RFC 9260, section 3.3), and where these begin.
_PARAMETERS_AT = {1: 16, 2: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}

Report = Callable[[str], None]
Deliver = Callable[[int, int, bytes], Awaitable[None]]


class InboundGuard:
    """Watches one connection and reports, once, when its peer goes past a limit."""

    def __init__(self, connection: RTCPeerConnection, report: Report) -> None:
        """Watch a connection from now on.

        Args:
            connection: one that has a data channel transport.
            report: called once with a sentence; from then on nothing is taken in.
        """
        assert connection.sctp is not None
        sctp: Any = connection.sctp
        self._sctp = sctp
        self._report = report
        self._window = sctp._advertised_rwnd
        self._tripped = False
        self._handle_data: Callable[[bytes], Awaitable[None]] = sctp._handle_data
        self._receive_chunk: Callable[[Any], Awaitable[None]] = sctp._receive_chunk
        self._deliver: Deliver = sctp._data_channel_receive
        sctp._handle_data = self._packet
        sctp._receive_chunk = self._chunk
        sctp._data_channel_receive = self._message

    async def _packet(self, data: bytes) -> None:
        if self._tripped:
            return
        if has_endless_parameter(data):
            self._trip("the data channel carries a parameter without a length")
            return
        try:
            await self._handle_data(data)
        except ConnectionError:
            raise
        # Whatever aiortc raises on a peer's bytes would end its receive loop with a traceback.
        except Exception as error:
            log.debug("the data channel transport refused a packet", exc_info=error)
            self._trip(f"the data channel carries what no WebRTC peer sends ({error})")

    async def _chunk(self, chunk: Any) -> None:
        if self._tripped:
            return
        # aiortc walks through every number that a peer says it has received.
        if isinstance(chunk, SackChunk) and _acknowledged(chunk) > ACKNOWLEDGED_LIMIT:
            self._trip("the other side acknowledges what was never sent")
            return
        await self._receive_chunk(chunk)
        sctp = self._sctp
        streams = sctp._inbound_streams
        if self._window - sctp._advertised_rwnd > PENDING_LIMIT:
            self._trip(f"a message is longer than {PENDING_LIMIT} bytes")
        elif (
            len(sctp._sack_misordered) > GAP_LIMIT
            or len(streams) > STREAM_LIMIT
            or sum(len(stream.reassembly) for stream in streams.values()) > PIECE_LIMIT
        ):
            self._trip("the data channel is used in a way no call uses it")

    async def _message(self, stream_id: int, protocol: int, data: bytes) -> None:
        if self._tripped:
            return
        if len(data) > MESSAGE_LIMIT:
            self._trip(f"a message is longer than {MESSAGE_LIMIT} bytes")
            return
        await self._deliver(stream_id, protocol, data)

    def _trip(self, sentence: str) -> None:
        if self._tripped:
            return
        self._tripped = True
        # Let go of what is held at once: closing takes a few turns of the loop.
        for stream in self._sctp._inbound_streams.values():
            stream.reassembly.clear()
        self._report(sentence)


def has_endless_parameter(packet: bytes) -> bool:
    """Return whether a chunk's parameter is shorter than its own header.

    aiortc would step over it by nothing, for ever, and keep a copy each time.

    Args:
        packet: an SCTP packet; what else is wrong with it is for aiortc to find.
    """
    for kind, body in _chunks(packet):
        position = _PARAMETERS_AT.get(kind, len(body))
        while position <= len(body) - 4:
            (length,) = unpack_from("!H", body, position + 2)
            if length < 4:
                return True
            position += length + -length % 4
    return False


def _acknowledged(chunk: SackChunk) -> int:
    return sum(max(0, last - first) + 1 for first, last in chunk.gaps)


def _chunks(packet: bytes) -> Iterator[tuple[int, bytes]]:
    position = 12
    while position <= len(packet) - 4:
        kind, _, length = unpack_from("!BBH", packet, position)
        if length < 4:
            return
        yield kind, packet[position + 4 : position + length]
        position += length + -length % 4
