"""Bad weather for the links of calls in this process: seeded loss, and cuts.

Datagrams are dropped where aioice hands them to its sockets, at both ends, so everything above is
the real thing. HTTP is not touched, and neither is who watches a picture. A network with delays
and queues, between processes, is another benchmark's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from aiortc import RTCPeerConnection

from shared.link import Link


class Weather:
    """What drops datagrams; the same seed drops the same ones of a sequence.

    Attributes:
        is_cut: whether every datagram is dropped at the moment.
        dropped: datagrams dropped so far.
        links: connections made under it, at either end.
        dead: those of them that nothing gets out of any more.
    """

    def __init__(self, seed: int, loss: float = 0.0) -> None:
        """Make the weather.

        Args:
            seed: of the random losses.
            loss: share of datagrams that are lost, 0 to 1.
        """
        self.is_cut = False
        self.dropped = 0
        self._random = np.random.default_rng(seed)
        self._loss = loss
        self.links: list[RTCPeerConnection] = []
        self.dead: list[RTCPeerConnection] = []

    @contextlib.contextmanager
    def over_links(self) -> Iterator[None]:
        """Let every link made meanwhile, at either end, suffer the weather."""
        watch = Link.watch

        def watched(link: Link) -> None:
            self._attach(link.connection)
            watch(link)

        Link.watch = watched  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Link.watch = watch  # type: ignore[method-assign]

    def bury(self) -> None:
        """Drop everything that the links of now send, for ever; later ones get through."""
        self.dead += self.links

    def drops(self, connection: RTCPeerConnection) -> bool:
        """Return whether the next datagram is dropped."""
        lost = self._loss > 0 and self._random.random() < self._loss
        lost = lost or self.is_cut or connection in self.dead
        self.dropped += lost
        return bool(lost)

    def _attach(self, connection: RTCPeerConnection) -> None:
        assert connection.sctp is not None
        self.links.append(connection)
        ice: Any = connection.sctp.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport = _Leaking(protocol.transport, self, connection)


class _Leaking:
    """A datagram transport that loses some of what is sent through it."""

    def __init__(self, inner: Any, weather: Weather, connection: RTCPeerConnection) -> None:
        self._inner = inner
        self._weather = weather
        self._connection = connection

    def sendto(self, data: bytes, address: tuple[Any, ...]) -> None:
        if not self._weather.drops(self._connection):
            self._inner.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
