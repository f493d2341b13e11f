"""What a link has carried so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkStats:
    """Figures of one call, over all its connections, taken at one moment.

    Attributes:
        payload_bytes: frame packets as handed to the data channel (a sender: sent; a receiver:
            received), bytes.
        wire_bytes_sent: every byte of every datagram sent, IP and UDP headers included.
        wire_bytes_received: the same for those received.
        wire_bytes_setup: how much of both was spent before the first frame (connecting, and the
            reference picture); 0 until there is one.
        messages_sent: data channel messages sent, both channels.
        messages_received: data channel messages received, both channels.
        frames: frames sent by a sender or taken in by a receiver.
        packets: frame packets, likewise.
        frames_skipped: frames a sender did not send because the link was stalled or silent.
        lost: frame packets the sender sent and the receiver misses, as of the last sign of life.
        malformed: messages that could not be used.
        rtt_ms: newest round trip, milliseconds; None while unknown.
        clock_offset_ms: what to add to the sender's call clock to get the receiver's monotonic
            milliseconds; None while unknown.
        elapsed_s: seconds since the first frame; 0 before it.
        reconnects: how often the other side was silent and came back.
    """

    payload_bytes: int
    wire_bytes_sent: int
    wire_bytes_received: int
    wire_bytes_setup: int
    messages_sent: int
    messages_received: int
    frames: int
    packets: int
    frames_skipped: int
    lost: int
    malformed: int
    rtt_ms: float | None
    clock_offset_ms: float | None
    elapsed_s: float
    reconnects: int = 0

    @property
    def payload_kbps(self) -> float:
        """Frame packets since the first frame, kilobits a second."""
        return _kbps(self.payload_bytes, self.elapsed_s)

    @property
    def wire_bytes(self) -> int:
        """Everything on the network since the beginning, both directions."""
        return self.wire_bytes_sent + self.wire_bytes_received

    @property
    def wire_kbps(self) -> float:
        """Everything on the network, both directions, since the first frame, kilobits a second."""
        return _kbps(self.wire_bytes - self.wire_bytes_setup, self.elapsed_s)


def _kbps(size: int, seconds: float) -> float:
    return size * 8 / seconds / 1000 if seconds > 0 else 0.0
