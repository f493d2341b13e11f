"""The small parts that reach into aiortc: acknowledgements, counting, waits, signs of life."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import ice
from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import DataChunk, InitChunk, SackChunk

from shared.delayed_sack import DELAY_S, DelayedSack
from shared.handshake import hasten
from shared.link_meter import LinkMeter
from shared.loopback import allow_loopback
from shared.outbound import drain
from shared.pulse import Pulse
from shared.tally import LOSSY_MS, Tally


class Association:
    """Stands for aiortc's SCTP transport."""

    state = "connected"

    def __init__(self) -> None:
        self.sent = 0
        self._sack_needed = True
        self._sack_misordered: set[int] = set()
        self._sack_duplicates: list[int] = []
        self.acknowledged = asyncio.Event()

    async def _receive_data_chunk(self, chunk: Any) -> None:
        self._sack_needed = True

    async def _send_sack(self) -> None:
        self.sent += 1
        self.acknowledged.set()

    async def take(self, size: int) -> None:
        """Do what aiortc does with a packet of one chunk."""
        await self._receive_data_chunk(SimpleNamespace(user_data=bytes(size)))
        await self._send_sack()


class Connection:
    def __init__(self, sctp: Any) -> None:
        self.sctp = sctp


async def test_every_second_packet_of_full_size_is_acknowledged() -> None:
    association = Association()
    DelayedSack(Connection(association))  # type: ignore[arg-type]
    for _ in range(6):
        await association.take(1200)
    assert association.sent == 3


async def test_small_packets_share_an_acknowledgement() -> None:
    association = Association()
    DelayedSack(Connection(association))  # type: ignore[arg-type]
    for _ in range(12):
        await association.take(40)
    assert association.sent == 0
    await association.acknowledged.wait()
    assert association.sent == 1


def test_the_delay_is_one_the_rfc_allows() -> None:
    assert DELAY_S < 0.5


async def test_a_single_packet_is_acknowledged_soon() -> None:
    association = Association()
    DelayedSack(Connection(association))  # type: ignore[arg-type]
    await association.take(40)
    assert association.sent == 0
    await association.acknowledged.wait()
    assert association.sent == 1


async def test_a_gap_is_acknowledged_at_once() -> None:
    association = Association()
    DelayedSack(Connection(association))  # type: ignore[arg-type]
    association._sack_misordered.add(7)
    await association.take(40)
    assert association.sent == 1


async def test_draining_gives_up_in_time() -> None:
    association: Any = Association()
    association._data_channel_queue = association._outbound_queue = []
    association._sent_queue = ["never acknowledged"]
    assert not await drain(Connection(association), 0.05)  # type: ignore[arg-type]
    association._sent_queue = []
    assert await drain(Connection(association), 0.05)  # type: ignore[arg-type]


def test_datagrams_count_with_their_ip_and_udp_headers() -> None:
    meter = LinkMeter()
    meter._sent(bytes(100), ("10.0.0.1", 9))
    meter._sent(bytes(100), ("fd00::1", 9))
    meter._counting(lambda data, address: None)(bytes(50), ("10.0.0.1", 9))
    assert (meter.bytes_sent, meter.datagrams_sent) == (128 + 148, 2)
    assert (meter.bytes_received, meter.datagrams_received) == (78, 1)


async def test_a_lost_first_word_is_repeated_after_a_second() -> None:
    connection = RTCPeerConnection()
    connection.createDataChannel("params")
    hasten(connection)
    sctp: Any = connection.sctp
    begun = asyncio.get_running_loop().time()
    sctp._t1_start(InitChunk())
    assert sctp._t1_handle.when() - begun < 1.5
    sctp._t1_cancel()
    await connection.close()


class Chunks:
    """Stands for aiortc's SCTP transport."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def _receive_chunk(self, chunk: Any) -> None:
        self.taken.append(chunk)


@pytest.mark.parametrize(("only", "beats"), [(False, 2), (True, 1)])
async def test_a_sender_goes_by_acknowledgements(only: bool, beats: int) -> None:
    chunks, heard = Chunks(), []
    pulse = Connection(chunks)
    Pulse(pulse, lambda: heard.append(1), only_acknowledgements=only)  # type: ignore[arg-type]
    for chunk in (DataChunk(), SackChunk()):
        await chunks._receive_chunk(chunk)
    assert len(heard) == beats
    assert len(chunks.taken) == 2


@pytest.mark.parametrize(("gaps", "losses"), [([], 0), ([(2, 2)], 1)])
async def test_a_gap_in_an_acknowledgement_tells_of_a_loss(
    gaps: list[tuple[int, int]], losses: int
) -> None:
    chunks, missed = Chunks(), []
    pulse = Connection(chunks)
    Pulse(pulse, lambda: None, lambda: missed.append(1), only_acknowledgements=True)  # type: ignore[arg-type]
    sack = SackChunk()
    sack.gaps = gaps
    await chunks._receive_chunk(sack)
    await chunks._receive_chunk(DataChunk())
    assert len(missed) == losses


def test_a_loss_is_remembered_for_a_while() -> None:
    tally = Tally()
    assert not tally.is_lossy(0.0)
    tally.missed_ms = 500.0
    assert tally.is_lossy(500.0 + LOSSY_MS - 1)
    assert not tally.is_lossy(500.0 + LOSSY_MS)


@pytest.mark.parametrize(("found", "offered"), [([], ["127.0.0.1"]), (["10.0.0.7"], ["10.0.0.7"])])
def test_loopback_is_offered_only_without_a_network(
    monkeypatch: pytest.MonkeyPatch, found: list[str], offered: list[str]
) -> None:
    monkeypatch.setattr("shared.loopback._addresses", lambda v4, v6: found)
    allow_loopback()
    assert ice.get_host_addresses(True, True) == offered
