"""Counts every byte a peer connection puts on the network or takes from it.

aiortc counts only what DTLS carries. The connectivity checks of ICE cost as much as a low-rate
call saves, so the count is taken where aioice hands datagrams to the sockets. This file is the
only one that reaches into aioice's private parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCPeerConnection

IPV4_UDP_BYTES = 28
IPV6_UDP_BYTES = 48


@dataclass(slots=True)
class LinkMeter:
    """Bytes and datagrams in each direction, IP and UDP headers included."""

    bytes_sent: int = 0
    bytes_received: int = 0
    datagrams_sent: int = 0
    datagrams_received: int = 0

    def attach(self, connection: RTCPeerConnection) -> None:
        """Count the datagrams of a peer connection from now on.

        Args:
            connection: one with a data channel transport that has gathered its candidates, and
                whose description has not been sent yet, so that nothing was exchanged before.
        """
        assert connection.sctp is not None
        ice: Any = connection.sctp.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport = _CountingTransport(protocol.transport, self._sent)
            protocol.datagram_received = self._counting(protocol.datagram_received)

    def _sent(self, data: bytes, address: tuple[Any, ...]) -> None:
        self.bytes_sent += _size(data, address)
        self.datagrams_sent += 1

    def _counting(
        self, inner: Callable[[bytes, tuple[Any, ...]], None]
    ) -> Callable[[bytes, tuple[Any, ...]], None]:
        def received(data: bytes, address: tuple[Any, ...]) -> None:
            self.bytes_received += _size(data, address)
            self.datagrams_received += 1
            inner(data, address)

        return received


class _CountingTransport:
    """A datagram transport that tells what is sent through it."""

    def __init__(self, inner: Any, sent: Callable[[bytes, tuple[Any, ...]], None]) -> None:
        self._inner = inner
        self._sent = sent

    def sendto(self, data: bytes, address: tuple[Any, ...]) -> None:
        self._sent(data, address)
        self._inner.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _size(data: bytes, address: tuple[Any, ...]) -> int:
    header = IPV6_UDP_BYTES if ":" in str(address[0]) else IPV4_UDP_BYTES
    return len(data) + header
