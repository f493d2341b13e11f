"""What a call has carried so far, over all the connections it has had."""

from __future__ import annotations

import logging

from shared.clock import ClockEstimate
from shared.complaints import Complaints
from shared.link_meter import LinkMeter
from shared.link_stats import LinkStats

# For how long after a loss more are expected: at 1 % there is one about every 12 s.
LOSSY_MS = 10_000.0


class Tally:
    """Counts of one end of one call; each of its links adds to them.

    They belong to the call because a call outlives its links: a receiver that compares what was
    sent with what came would otherwise lose count with every new connection.

    Attributes:
        meter: bytes on the network, of every connection, those that lost a race included.
        clock: round trip and clock offset.
        frames: frames sent (a sender) or taken in (a receiver).
        packets: frame packets, likewise.
        packets_sent: packets sent; 0 at a receiver.
        frames_skipped: frames a sender did not send because the link was stalled or silent.
        payload_bytes: bytes of the packets.
        lost: packets that the receiver misses.
        messages_sent: data channel messages sent.
        messages_received: data channel messages received.
        reconnects: how often the other side was silent and came back.
        missed_ms: when the other side last told that it misses something; None before.
    """

    def __init__(self) -> None:
        self.meter = LinkMeter()
        self.clock = ClockEstimate()
        self.frames = self.packets = self.packets_sent = self.frames_skipped = 0
        self.payload_bytes = self.lost = 0
        self.messages_sent = self.messages_received = 0
        self.reconnects = 0
        self.missed_ms: float | None = None
        self.session_complaints = Complaints("session message")
        self.packet_complaints = Complaints("frame packet")
        self.late_complaints = Complaints("order of packets", level=logging.DEBUG)
        self._first_frame_ms: float | None = None
        self._setup_bytes = 0

    def count_packet(self, packet: bytes, frames: int, now_ms: float) -> None:
        """Count a packet of frames sent or taken in."""
        if self._first_frame_ms is None:
            self._first_frame_ms = now_ms
            self._setup_bytes = self.meter.bytes_sent + self.meter.bytes_received
        self.frames += frames
        self.packets += 1
        self.payload_bytes += len(packet)

    def count_lost(self, peer_sent: int, peer_lost: int) -> None:
        """A sender takes its receiver's word; a receiver compares what was sent with what came."""
        if self.packets_sent:
            self.lost = min(peer_lost, self.packets_sent)
        else:
            self.lost = max(0, peer_sent - self.packets)

    def is_lossy(self, now_ms: float) -> bool:
        """Return whether something got lost on the way to the other side of late."""
        return self.missed_ms is not None and now_ms - self.missed_ms < LOSSY_MS

    @property
    def missing(self) -> int:
        """What to tell the other side that it has lost."""
        return 0 if self.packets_sent else self.lost

    def stats(self, clock_offset_ms: float | None, now_ms: float) -> LinkStats:
        """Return the figures so far; the owner knows the sign of the clock offset."""
        start_ms = self._first_frame_ms
        return LinkStats(
            payload_bytes=self.payload_bytes,
            wire_bytes_sent=self.meter.bytes_sent,
            wire_bytes_received=self.meter.bytes_received,
            wire_bytes_setup=self._setup_bytes,
            messages_sent=self.messages_sent,
            messages_received=self.messages_received,
            frames=self.frames,
            packets=self.packets,
            frames_skipped=self.frames_skipped,
            lost=self.lost,
            malformed=self.session_complaints.total + self.packet_complaints.total,
            reconnects=self.reconnects,
            rtt_ms=self.clock.rtt_ms,
            clock_offset_ms=clock_offset_ms,
            elapsed_s=0.0 if start_ms is None else (now_ms - start_ms) / 1000,
        )
