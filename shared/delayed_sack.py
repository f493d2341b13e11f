"""Acknowledging as rarely as RFC 9260, section 6.2, allows.

aiortc answers every data packet with a packet of its own, 85 bytes on the network for a frame of
12. The RFC wants an acknowledgement of at least every second packet of full size ("should"),
never later than half a second ("must not"), and at once when something is missing or came twice.
As TCP does (RFC 1122, section 4.2.3.2), full size is taken by its word: packets of a few bytes
wait for the clock, a photograph's chunks are acknowledged two by two. This file wraps two private
methods of aiortc's SCTP transport; the other side need not know.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCPeerConnection
from OpenSSL import SSL

from shared.tasks import spawn

DELAY_S = 0.45
FULL_BYTES = 2 * 1200  # two packets of aiortc's size


class DelayedSack:
    """Holds back acknowledgements of one connection."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        """Delay the acknowledgements of a connection with a data channel transport."""
        sctp: Any = connection.sctp
        self._sctp = sctp
        self._send_now: Callable[[], Awaitable[None]] = sctp._send_sack
        self._receive: Callable[[Any], Awaitable[None]] = sctp._receive_data_chunk
        self._held = False
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        sctp._send_sack = self._send_sack
        sctp._receive_data_chunk = self._count

    def stop(self) -> None:
        """Forget what is held back; the connection is closing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _count(self, chunk: Any) -> None:
        self._held_bytes += len(chunk.user_data)
        await self._receive(chunk)

    async def _send_sack(self) -> None:
        sctp = self._sctp
        # Held: until data sets this again, aiortc has nothing to acknowledge.
        sctp._sack_needed = False
        self._held = True
        urgent = sctp._sack_misordered or sctp._sack_duplicates
        if self._held_bytes >= FULL_BYTES or urgent:
            await self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY_S, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._held and self._sctp.state == "connected":
            spawn(self._late(), "acknowledgement")

    async def _late(self) -> None:
        # The connection may close while the packet is on its way out, and DTLS before SCTP.
        with contextlib.suppress(ConnectionError, SSL.Error):
            await self._flush()

    async def _flush(self) -> None:
        self.stop()
        self._held, self._held_bytes = False, 0
        await self._send_now()
