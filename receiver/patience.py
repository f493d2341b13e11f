"""How long a connection may keep the web server waiting, and how many may."""

from __future__ import annotations

import asyncio
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from receiver.bouncer import Bouncer

CONNECTIONS = 256
REQUEST_S = 10.0
# What is read on of a body that nobody wants, so that the refusal is not lost with the connection.
UNWANTED_BYTES = 8 * 1024 * 1024


class PatientProtocol(H11Protocol):
    """A uvicorn connection that does not wait for ever.

    uvicorn 0.54 gives a client any time to finish its first request's head, and turns newcomers
    away when too many connections are open. A few hundred silent connections would then keep
    everybody out. Here a head has a deadline, and when too many are open the one that has kept us
    waiting longest goes, not the one that has just come. It would also read a refused body to its
    end, which may never come; here that has a bound.

    Attributes:
        bouncer: refuses bad joins as they arrive, for a tenth of what parsing them costs.
    """

    bouncer: Bouncer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection and, when there are too many, close the stalest."""
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self._look)
        self._unwanted = 0
        if len(self.connections) > CONNECTIONS:
            others = (cast(PatientProtocol, other) for other in self.connections)
            waiting = [other for other in others if other.is_waiting()]
            min(waiting, key=lambda other: other._waiting_since).give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; too many after the answer end the connection."""
        first = self.cycle is None and self.conn.trailing_data[0] == b""
        refusal = self.bouncer.answer(data) if first and self.bouncer is not None else None
        if refusal is not None:
            self.transport.write(refusal)
            self.transport.close()
            return
        super().data_received(data)
        if self.is_waiting() and self.conn.their_state is h11.SEND_BODY:
            self._unwanted += len(data)
            if self._unwanted > UNWANTED_BYTES:
                self.give_up()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._waiting_since, self._unwanted = self.loop.time(), 0
        super().on_response_complete()

    def is_waiting(self) -> bool:
        """Return whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def give_up(self) -> None:
        """Close the connection at once; it may never read what we would say."""
        self.transport.abort()
        self.connections.discard(self)

    def _look(self) -> None:
        waited_s = self.loop.time() - self._waiting_since
        if self.is_waiting() and waited_s >= REQUEST_S:
            self.give_up()
            return
        rest_s = REQUEST_S - waited_s if self.is_waiting() else REQUEST_S
        self._deadline = self.loop.call_later(rest_s, self._look)
