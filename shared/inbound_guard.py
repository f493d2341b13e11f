"""Stops a hostile peer before its data is in memory.

aiortc 1.16 advertises a largest message size and a receive window but enforces neither: a peer
can make it hold a message of any size, or remember any number of gaps. This file, the only one
that reaches into aiortc's SCTP transport, watches both after every chunk. It also turns what
aiortc raises on odd input (text that is not UTF-8, a channel opened twice) into the same report
instead of a traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCPeerConnection

log = logging.getLogger(__name__)

# What may wait for a missing piece: four of the longest session messages, which is more than an
# honest sender has in flight.
PENDING_LIMIT = 256 * 1024
GAP_LIMIT = 2048
STREAM_LIMIT = 8

Report = Callable[[str], None]


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
        self._window = self._sctp._advertised_rwnd
        self._tripped = False
        self._receive_chunk: Callable[[Any], Awaitable[None]] = self._sctp._receive_chunk
        sctp._receive_chunk = self._guarded

    async def _guarded(self, chunk: Any) -> None:
        if self._tripped:
            return
        try:
            await self._receive_chunk(chunk)
        except ConnectionError:
            raise
        # Whatever aiortc raises on a peer's bytes would end its receive loop with a traceback.
        except Exception as error:
            log.debug("the data channel transport refused a chunk", exc_info=error)
            self._trip(f"the data channel carries what no WebRTC peer sends ({error})")
            return
        sctp = self._sctp
        if self._window - sctp._advertised_rwnd > PENDING_LIMIT:
            self._trip(f"a message is longer than {PENDING_LIMIT} bytes")
        elif len(sctp._sack_misordered) > GAP_LIMIT or len(sctp._inbound_streams) > STREAM_LIMIT:
            self._trip("the data channel is used in a way no call uses it")

    def _trip(self, sentence: str) -> None:
        if self._tripped:
            return
        self._tripped = True
        # Let go of what is held at once: closing takes a few turns of the loop.
        for stream in self._sctp._inbound_streams.values():
            stream.reassembly.clear()
        self._report(sentence)
