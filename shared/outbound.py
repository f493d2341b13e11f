"""Waiting until what was sent has left: aiortc's own close throws away what has not.

The only file that reads the send queues of aiortc's SCTP transport.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import RTCPeerConnection

POLL_S = 0.01


def unsent(connection: RTCPeerConnection) -> int:
    """Return how many messages and chunks are unsent or not acknowledged yet."""
    sctp: Any = connection.sctp
    if sctp is None or sctp.state != "connected":
        return 0
    return len(sctp._data_channel_queue) + len(sctp._outbound_queue) + len(sctp._sent_queue)


async def drain(connection: RTCPeerConnection, timeout_s: float) -> bool:
    """Wait until everything sent was acknowledged.

    Returns:
        False when the time ran out first.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while unsent(connection):
        if asyncio.get_running_loop().time() >= deadline:
            return False
        # aiortc has no event for an emptied queue; this runs once, at the end of a call.
        await asyncio.sleep(POLL_S)
    return True
