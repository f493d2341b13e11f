"""Which of two addresses a connection goes by."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import Candidate, ice

from shared.short_headers import HEAD_START_S, prefer_short_headers


async def chosen(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """Connect two ends that have these addresses; returns the ones they go by."""
    monkeypatch.setattr(ice, "get_host_addresses", lambda use_ipv4, use_ipv6: addresses)
    ends = [ice.Connection(ice_controlling=role) for role in (True, False)]
    for end in ends:
        dtls = SimpleNamespace(transport=SimpleNamespace(_connection=end))
        peer: Any = SimpleNamespace(sctp=SimpleNamespace(transport=dtls))
        prefer_short_headers(peer)
        await end.gather_candidates()
    for end, other in (ends, ends[::-1]):
        for candidate in other.local_candidates:
            await end.add_remote_candidate(Candidate.from_sdp(candidate.to_sdp()))
        await end.add_remote_candidate(None)
        end.remote_username, end.remote_password = other.local_username, other.local_password
    await asyncio.gather(*(end.connect() for end in ends))
    found = [pair.remote_addr[0] for end in ends for pair in end._nominated.values()]
    await asyncio.gather(*(end.close() for end in ends))
    return found


@pytest.mark.parametrize("addresses", [["127.0.0.1", "::1"], ["::1", "127.0.0.1"]])
async def test_of_two_ways_the_one_with_short_headers(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr("shared.short_headers.HEAD_START_S", 20.0)
    assert await chosen(monkeypatch, addresses) == ["127.0.0.1"] * 2


async def test_where_there_is_no_other_the_long_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.short_headers.HEAD_START_S", 1e6)
    assert await chosen(monkeypatch, ["::1"]) == ["::1"] * 2


async def test_where_short_ones_do_not_arrive_the_long_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send = ice.StunProtocol.send_stun

    def send_long(self: Any, message: Any, address: tuple[str, int]) -> None:
        if ":" in address[0]:
            send(self, message, address)

    monkeypatch.setattr(ice.StunProtocol, "send_stun", send_long)
    assert await chosen(monkeypatch, ["127.0.0.1", "::1"]) == ["::1"] * 2


def test_the_head_start_is_one_nobody_waits_for() -> None:
    assert HEAD_START_S <= 0.25
