"""Packets over a real data channel within this process."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import channel
from benchmarks.channel import passages
from shared.errors import UnreachableError


async def test_every_packet_is_timed_from_sending_to_the_handler() -> None:
    times = await passages([bytes([number]) * 12 for number in range(20)], 0.001)
    assert len(times) == 20
    assert all(0 < time < 1000 * channel.ARRIVAL_S for time in times)


async def test_nothing_is_left_behind() -> None:
    await passages([b"x"], 0.0)
    await asyncio.sleep(0)
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert others == []


async def test_without_a_connection_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CONNECT_S", 0.0)
    with pytest.raises(UnreachableError, match="did not come about"):
        await passages([b"x"], 0.0)
