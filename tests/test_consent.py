"""Consent checks: rare, patient with a bad link, and an end where nobody answers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import Candidate, ice, stun

import shared.consent
from shared.consent import HOLDS_S, PERIOD_S, REPEAT_S, SPREAD, Consent


class Wire:
    """A socket of aioice that loses the first few questions, or everything."""

    def __init__(self, inner: Any) -> None:
        self.lose = 0
        self.asked = asyncio.Queue[int]()
        self._inner = inner

    def sendto(self, data: bytes, address: Any) -> None:
        self.asked.put_nowait(len(data))
        if self.lose > 0:
            self.lose -= 1
        else:
            self._inner.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def consent(connection: ice.Connection, **times: float) -> Consent:
    dtls = SimpleNamespace(transport=SimpleNamespace(_connection=connection))
    peer: Any = SimpleNamespace(sctp=SimpleNamespace(transport=dtls))
    return Consent(peer, **times)


@asynccontextmanager
async def connected(**times: float) -> AsyncIterator[tuple[ice.Connection, Wire]]:
    """Two connections on this machine; yields the asking one and its socket."""
    asking, answering = (ice.Connection(ice_controlling=role) for role in (True, False))
    consent(asking, **times)
    for one in (asking, answering):
        await one.gather_candidates()
    for one, other in ((asking, answering), (answering, asking)):
        for candidate in other.local_candidates:
            await one.add_remote_candidate(Candidate.from_sdp(candidate.to_sdp()))
        await one.add_remote_candidate(None)
        one.remote_username, one.remote_password = other.local_username, other.local_password
    try:
        await asyncio.gather(asking.connect(), answering.connect())
        (pair,) = asking._nominated.values()
        wire = Wire(pair.protocol.transport)
        pair.protocol.transport = wire  # type: ignore[assignment]
        yield asking, wire
    finally:
        await asking.close()
        await answering.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.consent, "REPEAT_S", 0.05)


def test_the_times_are_ones_the_rfc_allows() -> None:
    assert HOLDS_S == 30
    # However the chances fall, there is time for more than one question.
    assert PERIOD_S * (1 + SPREAD) + 3 * REPEAT_S < HOLDS_S


async def test_an_answer_keeps_the_connection() -> None:
    async with connected(period_s=0.05, holds_s=20.0) as (asking, wire):
        for _ in range(4):
            await wire.asked.get()
        assert asking._nominated
        (pair,) = asking._nominated.values()
        assert len(pair.protocol.transactions) <= 1  # the one that was just sent


async def test_a_lost_question_is_soon_asked_again() -> None:
    async with connected(period_s=5.0, holds_s=20.0) as (asking, wire):
        taken = consent(asking)
        wire.lose = 3
        loop = asyncio.get_running_loop()
        assert await taken._ask(loop.time() + 1e6)
        assert wire.asked.qsize() >= 4


async def test_without_an_answer_the_connection_is_closed() -> None:
    async with connected(period_s=0.05, holds_s=0.3) as (asking, wire):
        wire.lose = 1_000_000
        (pair,) = asking._nominated.values()
        with pytest.raises(ConnectionError):
            await asking.recv()
        assert not asking._nominated
        assert wire.asked.qsize() > 1
        assert not pair.protocol.transactions


async def test_an_answer_that_is_not_signed_is_none() -> None:
    async with connected(period_s=5.0) as (asking, wire):
        (pair,) = asking._nominated.values()
        wire.lose = 1_000_000
        question = shared.consent._Question(asking, pair, answered := asyncio.Event())
        forged = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, question._id)
        question.response_received(forged, ("127.0.0.1", 9))
        assert not answered.is_set()
        assert asking.remote_password is not None
        forged.add_message_integrity(asking.remote_password.encode())
        question.response_received(forged, ("127.0.0.1", 9))
        assert answered.is_set()
        question.forget()


def test_aioice_still_starts_the_checks_by_this_name() -> None:
    assert "self.query_consent()" in inspect.getsource(ice.Connection.connect)
