"""Takes the sound out of a connection before aiortc does, and no more of it than a voice needs.

aiortc 1.16 queues what it decodes without a limit, remembers every source that a peer makes up, and
holds sound back until four packets have come, which is a quarter of a second here. This file, the
only one that reaches into aiortc's media transport, replaces two methods of it: sound goes straight
to the call, and everything else that is not the data channels goes nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.rtp import RtpPacket

from shared.clock import monotonic_ms
from shared.voice import PACKET_MS

log = logging.getLogger(__name__)

# The longest packet of 60 ms that Opus makes at 48 kbps, four times what ours has.
PAYLOAD_LIMIT = 360
# Packets in a row, and at twice the pace of an honest sender on and on: decoding is what costs.
BURST = 16
REFILL_MS = PACKET_MS / 2


@dataclass(frozen=True, slots=True)
class VoicePacket:
    """One packet of sound from the other side.

    Attributes:
        source: its random number; another one is another time line.
        stamp: when its sound begins, samples of 48 kHz from an unknown moment, modulo 2**32.
        payload: Opus.
        received_ms: :func:`shared.clock.monotonic_ms`.
    """

    source: int
    stamp: int
    payload: bytes
    received_ms: float


class VoiceInbox:
    """Watches one connection.

    Attributes:
        dropped: packets that were too many, too long or nonsense.
    """

    def __init__(self, connection: RTCPeerConnection, take: Callable[[VoicePacket], None]) -> None:
        """Watch a connection from now on.

        Args:
            connection: one that has a data channel transport, its only one.
            take: gets every packet that is let in.
        """
        assert connection.sctp is not None
        self.dropped = 0
        self._take = take
        self._room = float(BURST)
        self._counted_ms = monotonic_ms()
        dtls: Any = connection.sctp.transport
        dtls._handle_rtp_data = self._media
        dtls._handle_rtcp_data = _ignore

    async def _media(self, data: bytes, arrival_time_ms: int) -> None:
        now_ms = monotonic_ms()
        self._room = min(self._room + (now_ms - self._counted_ms) / REFILL_MS, BURST)
        self._counted_ms = now_ms
        if self._room < 1:
            self.dropped += 1
            return
        self._room -= 1
        # An error here would end aiortc's receive loop, and with it the call.
        try:
            packet = RtpPacket.parse(data)
            if not 0 < len(packet.payload) <= PAYLOAD_LIMIT:
                raise ValueError(f"{len(packet.payload)} bytes of sound")
            self._take(VoicePacket(packet.ssrc, packet.timestamp, packet.payload, now_ms))
        except Exception as error:
            log.debug("a packet of sound was dropped", exc_info=error)
            self.dropped += 1


async def _ignore(data: bytes) -> None:
    """Drop reports on the media: nobody here reads them."""
