"""A peer that sends too much, in every way there is, is closed before it is in memory."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Any

import pytest
from aiortc import rtcsctptransport as sctp

from shared.inbound_guard import (
    GAP_LIMIT,
    PENDING_LIMIT,
    PIECE_LIMIT,
    STREAM_LIMIT,
    has_endless_parameter,
)
from shared.messages import MESSAGE_LIMIT
from tests.sending import Recorder
from tests.test_transport import hostile

BINARY, TEXT = 53, 51


def piece(tsn: int, body: bytes, *, flags: int = 0, stream: int = 0) -> sctp.DataChunk:
    chunk = sctp.DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.protocol, chunk.user_data = tsn, stream, BINARY, body
    return chunk


async def send(peer: Any, chunk: Any) -> None:
    """Send a chunk as it is; one that comes after the end goes nowhere."""
    with contextlib.suppress(ConnectionError):
        await peer.reference.transport._send_chunk(chunk)
    await asyncio.sleep(0)


def held(call: Any) -> int:
    return sum(
        len(chunk.user_data)
        for link in call._lifeline._links
        for stream in link.connection.sctp._inbound_streams.values()
        for chunk in stream.reassembly
    )


@pytest.mark.parametrize("channel", ["reference", "params"])
@pytest.mark.parametrize("data", [bytes(MESSAGE_LIMIT + 1), "x" * (MESSAGE_LIMIT + 1)])
async def test_a_message_over_the_cap_closes_the_peer(channel: str, data: bytes | str) -> None:
    async with hostile(Recorder()) as (peer, call):
        getattr(peer, channel).transport._remote_max_message_size = 0
        getattr(peer, channel).send(data)
        reason = await asyncio.wait_for(call.wait_closed(), 20)
        assert f"longer than {MESSAGE_LIMIT}" in reason


@pytest.mark.parametrize("channel", ["reference", "params"])
@pytest.mark.parametrize("size", [0, 1, 1000])
async def test_pieces_without_end_close_the_peer(channel: str, size: int) -> None:
    async with hostile(Recorder()) as (peer, call):
        transport: Any = peer.reference.transport
        stream = getattr(peer, channel).id
        flags = sctp.SCTP_DATA_UNORDERED if channel == "params" else 0
        first = transport._local_tsn
        most = 0
        for number in range(2 * PIECE_LIMIT):
            begin = 0 if number else sctp.SCTP_DATA_FIRST_FRAG
            await send(peer, piece(first + number, bytes(size), flags=flags | begin, stream=stream))
            most = max(most, held(call))
        await asyncio.wait_for(call.wait_closed(), 20)
        assert most <= PENDING_LIMIT + size


async def test_gaps_without_end_close_the_peer() -> None:
    async with hostile(Recorder()) as (peer, call):
        transport: Any = peer.reference.transport
        for number in range(1, GAP_LIMIT + 10):
            await send(peer, piece(transport._local_tsn + 2 * number, b"", flags=7))
        assert "no call uses" in await asyncio.wait_for(call.wait_closed(), 20)


async def test_streams_without_end_close_the_peer() -> None:
    async with hostile(Recorder()) as (peer, call):
        transport: Any = peer.reference.transport
        for number in range(STREAM_LIMIT + 2):
            tsn = transport._local_tsn + number
            await send(peer, piece(tsn, b"x", flags=3, stream=100 + number))
        assert "no call uses" in await asyncio.wait_for(call.wait_closed(), 20)


async def test_a_parameter_without_a_length_closes_the_peer() -> None:
    async with hostile(Recorder()) as (peer, call):
        chunk = sctp.Chunk()
        chunk.type, chunk.body = 4, struct.pack("!HH", 1, 0)  # type: ignore[attr-defined]
        await send(peer, chunk)
        assert "without a length" in await asyncio.wait_for(call.wait_closed(), 20)


async def test_acknowledging_what_was_never_sent_closes_the_peer() -> None:
    async with hostile(Recorder()) as (peer, call):
        transport: Any = peer.reference.transport
        chunk = sctp.SackChunk()
        chunk.cumulative_tsn, chunk.advertised_rwnd = transport._last_received_tsn, 1 << 20
        chunk.gaps = [(1, 65535)] * 100
        await send(peer, chunk)
        assert "never sent" in await asyncio.wait_for(call.wait_closed(), 20)


async def test_packets_that_cannot_be_parsed_close_the_peer_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with hostile(Recorder()) as (peer, call):
        chunk = sctp.Chunk()
        chunk.type, chunk.body = 3, b"\0" * 4  # type: ignore[attr-defined]
        await send(peer, chunk)
        assert "no WebRTC peer sends" in await asyncio.wait_for(call.wait_closed(), 20)
    assert "Traceback" not in caplog.text


def test_honest_packets_have_no_endless_parameter() -> None:
    start = sctp.InitChunk()
    start.params = [(0xC000, b""), (0x8008, b"\xc0\x82")]
    for chunk in (start, sctp.AbortChunk(), piece(1, bytes(8), flags=3)):
        assert not has_endless_parameter(sctp.serialize_packet(5000, 5000, 0, chunk))
    assert not has_endless_parameter(b"")
    assert not has_endless_parameter(bytes(16))
