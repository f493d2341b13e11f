"""How often a connection asks whether the other side still wants it (RFC 7675).

A check costs 416 bytes, asked and answered in both directions. The RFC's period of 5 seconds is a
default ("should"); consent itself holds for 30 seconds, which stays. Whether a call is alive is
known much sooner from its own messages. aioice takes a question for lost after half a second and
asks the next a period later, so rare checks would end a call on a long or lossy link. Here an
unanswered question is soon followed by another, each a transaction of its own, and the answer to
any of them will do. This file replaces one private method of aioice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any

from aioice import stun
from aiortc import RTCPeerConnection

PERIOD_S = 15.0
SPREAD = 0.2  # of the period: RFC 7675, section 5.1, so that checks do not fall into step
REPEAT_S = 1.5
HOLDS_S = 30.0  # RFC 7675, section 5.1


class Consent:
    """Keeps up the consent of one connection's peer."""

    def __init__(
        self, connection: RTCPeerConnection, period_s: float = PERIOD_S, holds_s: float = HOLDS_S
    ) -> None:
        """Take the checks over; call before the connection begins.

        Args:
            connection: one that has a data channel transport.
            period_s: from an answer to the next question.
            holds_s: from an answer to the end of the connection.
        """
        assert connection.sctp is not None
        self._ice: Any = connection.sctp.transport.transport._connection
        self._period_s, self._holds_s = period_s, holds_s
        self._answered = asyncio.Event()
        self._ice.query_consent = self._run  # type: ignore[method-assign]

    async def _run(self) -> None:
        """Ask from time to time, until nobody has answered for too long."""
        until_s = time.monotonic() + self._holds_s
        while time.monotonic() < until_s:
            await asyncio.sleep(self._period_s * random.uniform(1 - SPREAD, 1 + SPREAD))
            if await self._ask(until_s):
                until_s = time.monotonic() + self._holds_s
        # Without this closing would wait for this task, which is the one that closes.
        self._ice._query_consent_task = None
        await self._ice.close()

    async def _ask(self, until_s: float) -> bool:
        """Ask until there is an answer, or the time is up; return whether there was one."""
        self._answered.clear()
        questions: list[_Question] = []
        try:
            while not self._answered.is_set() and (left_s := until_s - time.monotonic()) > 0:
                pairs = self._ice._nominated.values()
                questions += [_Question(self._ice, pair, self._answered) for pair in pairs]
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(REPEAT_S, left_s)):
                        await self._answered.wait()
        finally:
            for question in questions:
                question.forget()
        return self._answered.is_set()


class _Question:
    """A binding request on its way; stands among aioice's own transactions."""

    def __init__(self, ice: Any, pair: Any, answered: asyncio.Event) -> None:
        self._answered = answered
        self._key = ice.remote_password.encode("utf8")
        request = ice.build_request(pair, nominate=False)
        request.add_message_integrity(self._key)
        self._id = request.transaction_id
        self._transactions = pair.protocol.transactions
        self._transactions[self._id] = self
        pair.protocol.send_stun(request, pair.remote_addr)

    def response_received(self, message: stun.Message, _address: tuple[str, int]) -> None:
        """Take an answer; one that is not signed with the connection's password is none."""
        good = message.message_class == stun.Class.RESPONSE
        if good and message.check_message_integrity(self._key):
            self._answered.set()

    def forget(self) -> None:
        """Take no answer any more."""
        self._transactions.pop(self._id, None)
