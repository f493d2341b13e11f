"""Whole calls over real peer connections on this machine, with honest and hostile peers."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdatachannel import RTCDataChannelParameters

from shared.call_receiver import CallReceiver
from shared.errors import BadInputError, UnreachableError
from shared.inbound_guard import PENDING_LIMIT
from shared.latency import Latency
from shared.link_config import LinkSettings
from shared.messages import (
    PROTOCOL_VERSION,
    REFERENCE_LIMIT,
    Calibration,
    Chunk,
    Hello,
    Refusal,
    Welcome,
    decode,
    encode,
)
from shared.reference_transfer import announce
from shared.transport import CallSender
from shared.wire import FrameEncoder
from shared.wire_table import DEAD_ZONE, wire_table
from tests.sending import FACE_MODEL, Recorder, frames, receiving, track

MALFORMED = Path(__file__).parent / "fixtures" / "malformed"
PHOTOGRAPH = np.random.default_rng(1).bytes(200_000)


def connect(url: str, face_model: str = FACE_MODEL, **more: Any) -> Any:
    return CallSender.connect(url, timeout=20, face_model=face_model, **more)


async def test_a_whole_call() -> None:
    handler = Recorder(wanted_frames=50)
    sent = frames(50)
    async with receiving(handler) as receiver:
        call = await connect(receiver.url)
        assert call.wants_reference
        await call.send_reference(PHOTOGRAPH, "image/webp")
        assert handler.references == [(PHOTOGRAPH, "image/webp")]
        await call.send_calibration(sent[0].params)
        await handler.calibrated.wait()
        for frame in sent:
            assert call.send_frame(frame)
            await asyncio.sleep(0)
        await handler.enough.wait()
        await call.close("that was all")
        assert await receiver.calls[0].wait_closed() == "that was all"
        figures = receiver.calls[0].stats()
    assert handler.reasons == ["that was all"]
    assert receiver.deleted == ["1"]
    assert np.array_equal(handler.origins[0].to_vector(), sent[0].params.to_vector())
    steps = wire_table().steps
    for frame, (got, received_ms) in zip(sent, sorted(handler.frames, key=number), strict=True):
        assert (got.sequence, got.captured_ms) == (frame.sequence, frame.captured_ms)
        error = np.abs(got.params.to_vector() - frame.params.to_vector())
        assert (error <= DEAD_ZONE * steps + 1e-6).all()
        assert received_ms > 0
    assert figures.frames == 50
    assert figures.lost == figures.malformed == 0


def number(item: tuple[Any, float]) -> int:
    sequence: int = item[0].sequence
    return sequence


async def measured(call: Any) -> None:
    """Wait until an end of a call knows its round trip."""
    clock, known = call._tally.clock, asyncio.Event()
    heard = clock.heard

    def listening(*ping: Any) -> None:
        heard(*ping)
        if clock.rtt_ms is not None:
            known.set()

    clock.heard = listening
    if clock.rtt_ms is None:
        await known.wait()


async def test_both_sides_know_round_trip_and_clocks_and_agree_on_the_bytes() -> None:
    async with receiving(Recorder(wants_reference=False)) as receiver:
        call = await connect(receiver.url)
        assert not call.wants_reference
        mine, theirs = call.stats, receiver.calls[0].stats
        await asyncio.gather(measured(call), measured(receiver.calls[0]))
        await call.close("measured")
        await receiver.calls[0].wait_closed()
    sender, other = mine(), theirs()
    assert sender.clock_offset_ms == pytest.approx(other.clock_offset_ms, abs=50)
    assert sender.clock_offset_ms == pytest.approx(call.clock.start_ms, abs=50)
    # Whatever one side put on the network the other took from it, but for the last goodbyes.
    assert 0 <= sender.wire_bytes_sent - other.wire_bytes_received < 1000
    assert 0 <= other.wire_bytes_sent - sender.wire_bytes_received < 1000
    # An association takes kilobytes: certificates, handshakes, connectivity checks.
    assert sender.wire_bytes_sent > 2000


async def test_a_refused_reference_tells_why() -> None:
    async with receiving(Recorder(refusal="no face was found in the photograph")) as receiver:
        call = await connect(receiver.url)
        with pytest.raises(BadInputError, match="no face was found in the photograph"):
            await call.send_reference(b"not a picture", "image/jpeg")
        await call.close("refused")


@pytest.mark.parametrize(
    ("data", "mime"),
    [(b"", "image/jpeg"), (bytes(REFERENCE_LIMIT + 1), "image/png"), (b"x", "a/b")],
)
async def test_an_unusable_reference_never_leaves(data: bytes, mime: str) -> None:
    async with receiving() as receiver:
        call = await connect(receiver.url)
        with pytest.raises(BadInputError):
            await call.send_reference(data, mime)
        await call.close("unusable")


async def test_another_face_model_is_refused_with_a_sentence() -> None:
    async with receiving() as receiver:
        with pytest.raises(BadInputError, match="different face models") as caught:
            await connect(receiver.url, face_model="ffffffff")
        assert caught.value.exit_code == 2
        await receiver.calls[0].wait_closed()


async def test_a_busy_receiver_says_so() -> None:
    async with receiving() as receiver:
        receiver.busy = "another caller is on the line"
        with pytest.raises(UnreachableError, match="another caller is on the line"):
            await connect(receiver.url)


async def test_a_receiver_that_hangs_up_is_told_apart() -> None:
    async with receiving(Recorder(wants_reference=False)) as receiver:
        call = await connect(receiver.url)
        await receiver.calls[0].close("the receiver is shut down")
        assert await call.wait_closed() == "the receiver is shut down"
        assert call.said_bye
        assert not call.send_frame(frames(1)[0])
        await call.close("late")


async def test_a_caller_that_never_connects_is_not_waited_for() -> None:
    connection = RTCPeerConnection()
    connection.createDataChannel("reference")
    await connection.setLocalDescription(await connection.createOffer())
    handler = Recorder()
    call, _ = await CallReceiver.answer(
        connection.localDescription.sdp, handler, LinkSettings(join_s=0.1)
    )
    assert "did not connect" in await call.wait_closed()
    await connection.close()


async def test_a_stalled_link_skips_frames() -> None:
    async with receiving(Recorder(wants_reference=False)) as receiver:
        call = await connect(receiver.url)
        # Without a turn of the loop nothing leaves: the channel fills up as on a dead link.
        results = [call.send_frame(frame) for frame in frames(60)]
        assert results[0]
        assert not results[-1]
        assert call.stats().frames_skipped == results.count(False)
        await call.close("stalled")


class Peer:
    """A caller that is not bound by the protocol."""

    def __init__(self, reference: RTCDataChannel, params: RTCDataChannel) -> None:
        self.reference, self.params = reference, params
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        reference.on("message", lambda data: self.inbox.put_nowait(decode(data)))

    async def hear(self, kind: type) -> Any:
        """Return the next message of a type."""
        while not isinstance(message := await self.inbox.get(), kind):
            pass
        return message


@asynccontextmanager
async def hostile(handler: Recorder) -> AsyncIterator[tuple[Peer, CallReceiver]]:
    connection = RTCPeerConnection()
    reference = connection.createDataChannel("reference")
    params = connection.createDataChannel("params", ordered=False, maxRetransmits=0)
    peer = Peer(reference, params)
    opened = asyncio.Event()
    params.on("open", opened.set)
    await connection.setLocalDescription(await connection.createOffer())
    call, answer = await CallReceiver.answer(connection.localDescription.sdp, handler)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await opened.wait()
    try:
        yield peer, call
    finally:
        await call.close("the test is over")
        await connection.close()


async def test_malformed_bytes_are_counted_and_end_the_call_only_in_masses() -> None:
    handler = Recorder(wants_reference=False)
    bad = [path.read_bytes() for path in sorted(MALFORMED.glob("session-*"))]
    async with hostile(handler) as (peer, call):
        for data in bad[:10]:
            peer.reference.send(data)
        peer.reference.send(encode(Hello(PROTOCOL_VERSION, FACE_MODEL)))
        peer.reference.send(encode(Calibration.of(track(1)[0])))
        await handler.calibrated.wait()
        assert call.stats().malformed == 10
        for data in bad[:15]:
            peer.reference.send(data)
        assert "follow no protocol" in await call.wait_closed()


async def test_malformed_packets_never_end_a_call() -> None:
    handler = Recorder(wants_reference=False)
    bad = [path.read_bytes() for path in sorted(MALFORMED.glob("frame-*"))]
    async with hostile(handler) as (peer, call):
        peer.reference.send(encode(Hello(PROTOCOL_VERSION, FACE_MODEL)))
        peer.reference.send(encode(Calibration.of(track(1)[0])))
        await handler.calibrated.wait()
        for data in bad * 5:
            peer.params.send(data)
        peer.params.send("text")
        peer.params.send(FrameEncoder().encode(frames(1)))
        await handler.enough.wait()
        assert call.stats().malformed > 40
        assert not handler.reasons


async def test_a_message_without_end_closes_the_peer_before_it_is_in_memory() -> None:
    handler = Recorder()
    async with hostile(handler) as (peer, call):
        # aiortc's own check on the sending side is what a hostile peer would leave out.
        transport: Any = peer.reference.transport
        transport._remote_max_message_size = 0
        peer.reference.send(bytes(20_000_000))
        assert str(PENDING_LIMIT) in await call.wait_closed()
        assert call.stats().wire_bytes_received < 2_000_000


async def test_a_third_channel_closes_the_peer() -> None:
    async with hostile(Recorder()) as (peer, call):
        transport: Any = peer.reference.transport
        channel = RTCDataChannel(transport, parameters("extra"))
        assert "no call has" in await call.wait_closed()
        assert channel.label == "extra"


async def test_text_that_is_no_text_closes_the_peer() -> None:
    async with hostile(Recorder()) as (peer, call):
        transport: Any = peer.reference.transport
        await transport._send(peer.reference.id, 51, b"\xff\xfe")
        assert "no WebRTC peer sends" in await call.wait_closed()


def parameters(label: str) -> Any:
    return RTCDataChannelParameters(label=label)


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        ([announce(b"abc", "image/png"), Chunk(0, b"abd")], "digest differs"),
        ([announce(b"abc", "image/png"), Chunk(1, b"bc")], "starts at 1, not at 0"),
        ([announce(b"abc", "image/png"), Chunk(0, b"abcd")], "longer than announced"),
    ],
)
async def test_a_wrong_transfer_is_refused(messages: list[Any], sentence: str) -> None:
    handler = Recorder()
    async with hostile(handler) as (peer, call):
        peer.reference.send(encode(Hello(PROTOCOL_VERSION, FACE_MODEL)))
        for message in messages:
            peer.reference.send(encode(message))
        refusal = await peer.hear(Refusal)
        assert refusal.code == "reference"
        assert sentence in refusal.message
        await call.wait_closed()
    assert not handler.references


@pytest.mark.parametrize("latency", list(Latency))
async def test_frames_share_packets_as_the_setting_says(latency: Latency) -> None:
    handler = Recorder(wants_reference=False, wanted_frames=22)
    async with receiving(handler) as receiver:
        call = await connect(receiver.url, latency=latency)
        await call.send_calibration(track(1)[0])
        await handler.calibrated.wait()
        for frame in frames(22):
            assert call.send_frame(frame)
            await asyncio.sleep(0.005)  # what piles up in one turn of the loop is skipped
        # The last packet is not full: it leaves when its time is up.
        await handler.enough.wait()
        await call.close("done")
        figures = call.stats()
    assert sorted(number(entry) for entry in handler.frames) == list(range(22))
    assert figures.frames == 22
    assert figures.packets == math.ceil(22 / latency.frames)


async def test_what_waits_leaves_with_the_goodbye() -> None:
    handler = Recorder(wants_reference=False)
    async with receiving(handler) as receiver:
        call = await connect(receiver.url, latency=Latency.ECONOMY)
        await call.send_calibration(track(1)[0])
        await handler.calibrated.wait()
        call.send_frame(frames(1)[0])
        await call.close("done")
        await receiver.calls[0].wait_closed()
    assert len(handler.frames) == 1


async def test_another_protocol_version_is_refused() -> None:
    async with hostile(Recorder()) as (peer, call):
        peer.reference.send(msgpack.packb({"t": "hello", "version": 1, "face_model": FACE_MODEL}))
        refusal = await peer.hear(Refusal)
        assert refusal.code == "version"
        assert "same HeadCall" in refusal.message
        await call.wait_closed()


async def test_frames_before_the_calibration_are_not_shown() -> None:
    handler = Recorder(wants_reference=False, wanted_frames=1)
    async with hostile(handler) as (peer, call):
        encoder, sent = FrameEncoder(), frames(2)
        peer.reference.send(encode(Hello(PROTOCOL_VERSION, FACE_MODEL)))
        await peer.hear(Welcome)
        peer.params.send(encoder.encode(sent[:1]))
        peer.reference.send(encode(Calibration.of(track(1)[0])))
        await handler.calibrated.wait()
        peer.params.send(encoder.encode(sent[1:]))
        await handler.enough.wait()
        # The early key was still decoded: the delta after it could be shown.
        assert [frame.sequence for frame, _ in handler.frames] == [1]
        assert call.stats().frames == 2


async def test_a_handler_that_fails_loses_a_frame_and_not_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Clumsy(Recorder):
        def on_frame(self, frame: Any, received_ms: float) -> None:
            super().on_frame(frame, received_ms)
            if frame.sequence == 0:
                raise RuntimeError("broken")

    handler = Clumsy(wants_reference=False, wanted_frames=2)
    async with receiving(handler) as receiver:
        call = await connect(receiver.url)
        await call.send_calibration(track(1)[0])
        await handler.calibrated.wait()
        for frame in frames(2):
            call.send_frame(frame)
        await handler.enough.wait()
        await call.close("done")
    assert any(r.levelno == logging.ERROR and "frame 0" in r.message for r in caplog.records)
