"""What a video codec's frames cost on the network: each charged as RTP packets, by arithmetic.

Payload headers (VP8's descriptor, H.264's fragmentation units), RTCP and the connection's own
checks are not counted, in the codecs' favour; of our own calls every byte is.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER_BYTES = 20 + 8 + 12 + 10  # IPv4, UDP, RTP, SRTP's tag
PACKET_BYTES = 1200  # of a frame, at most, in a packet


@dataclass(frozen=True, slots=True)
class Rates:
    """What a clip costs.

    Attributes:
        payload_kbps: the codec's own bytes, without the first frame.
        wire_kbps: the same with the headers of every packet.
        reference_bytes: the first frame with its headers.
    """

    payload_kbps: float
    wire_kbps: float
    reference_bytes: int


def packets(size: int) -> int:
    """Return how many packets carry a frame of `size` bytes; an empty one takes a packet too."""
    return max(1, -(-size // PACKET_BYTES))


def charge(size: int) -> int:
    """Return what a frame of `size` bytes costs on the network, bytes."""
    return size + packets(size) * HEADER_BYTES


def rates(sizes: list[int], fps: float) -> Rates:
    """Return what coded frames cost.

    Args:
        sizes: bytes of each frame, two frames at least; the first is the reference.
        fps: frames a second.
    """
    later = sizes[1:]
    seconds = len(later) / fps
    return Rates(
        payload_kbps=sum(later) * 8 / seconds / 1000,
        wire_kbps=sum(charge(size) for size in later) * 8 / seconds / 1000,
        reference_bytes=charge(sizes[0]),
    )
