"""Drops datagrams that make aioice or aiortc fall over; anybody can send one to an open port.

aioice 0.13 hands every datagram that is no STUN message to aiortc, whoever sent it, and aiortc
1.16 reads its first byte: an empty one ends the call. A STUN attribute of an odd length raises
in the event loop, with a traceback in the log for each. This file wraps one method of aioice's
sockets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

Receive = Callable[[bytes, tuple[Any, ...]], None]


def guard_datagrams(dtls: Any) -> None:
    """Watch the sockets of one transport from now on.

    Args:
        dtls: an ``RTCDtlsTransport`` whose candidates have been gathered.
    """
    for protocol in dtls.transport._connection._protocols:
        protocol.datagram_received = _guarded(protocol.datagram_received)


def _guarded(inner: Receive) -> Receive:
    def received(data: bytes, address: tuple[Any, ...]) -> None:
        if not data:
            return
        # What aioice refuses by itself is a ValueError; this is what it does not expect.
        try:
            inner(data, address)
        except struct.error:
            return

    return received
