"""Sound over a real connection, from honest and hostile callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiortc.rtp import RtpPacket

from shared.clock import monotonic_ms
from shared.transport import CallSender
from shared.voice import PACKET_SAMPLES
from shared.voice_inbox import BURST, PAYLOAD_LIMIT, REFILL_MS
from tests.sending import FACE_MODEL, Recorder, receiving, track
from tests.tones import packets


@asynccontextmanager
async def calling(
    handler: Recorder, *, sound: bool = True
) -> AsyncIterator[tuple[CallSender, Any, Any]]:
    """Yield a call that may send frames, its transport, and the receiver's inbox."""
    async with receiving(handler) as receiver:
        call = await CallSender.connect(
            receiver.url, timeout=20, face_model=FACE_MODEL, sound=sound
        )
        await call.send_calibration(track(1)[0])
        await handler.calibrated.wait()
        link: Any = call._lifeline.current
        theirs: Any = receiver.calls[0]._lifeline.current
        inbox = theirs.connection.sctp.transport._handle_rtp_data.__self__
        yield call, link.connection.sctp.transport, inbox
        await call.close("that was all")
        await receiver.calls[0].wait_closed()


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0.01)


def media(number: int, payload: bytes, source: int = 7) -> bytes:
    packet = RtpPacket(96, 0, number, number * PACKET_SAMPLES, source, payload)
    return bytes(packet.serialize())


async def test_sound_arrives_as_it_was_sent() -> None:
    handler, sent = Recorder(wants_reference=False, wanted_voice=6), packets(6)
    async with calling(handler) as (call, _, inbox):
        for packet in sent:
            call.send_voice(packet)
        await asyncio.wait_for(handler.heard.wait(), 20)
        assert [one.payload for one in handler.voice] == [bytes(packet) for packet in sent]
        stamps = [(one.stamp - handler.voice[0].stamp) % 2**32 for one in handler.voice]
        assert stamps == [i * PACKET_SAMPLES for i in range(6)]
        assert len({one.source for one in handler.voice}) == 1
        assert inbox.dropped == 0


async def test_without_sound_none_can_be_sent_and_the_offer_has_no_section_for_it() -> None:
    handler = Recorder(wants_reference=False)
    async with calling(handler, sound=False) as (call, _, _):
        link: Any = call._lifeline.current
        assert "m=audio" not in link.connection.localDescription.sdp
        call.send_voice(packets(1)[0])
        assert link.voice is None


async def test_one_transport_carries_both() -> None:
    async with calling(Recorder(wants_reference=False)) as (call, transport, _):
        link: Any = call._lifeline.current
        offer = link.connection.localDescription.sdp
        assert offer.count("m=") == 2
        assert "PCMU" not in offer
        (transceiver,) = link.connection.getTransceivers()
        assert transceiver.sender.transport is transport


async def test_more_than_a_voice_needs_is_dropped_and_the_call_goes_on() -> None:
    # Sent by a caller who never said that there would be sound.
    handler = Recorder(wants_reference=False)
    async with calling(handler, sound=False) as (_, transport, inbox):
        begun_ms = monotonic_ms()
        for number in range(300):
            await transport._send_rtp(media(number, b"x" * 30, source=number))
            if number % 10 == 0:
                await asyncio.sleep(0.002)
        await until(lambda: inbox.dropped + len(handler.voice) >= 250)
        allowed = BURST + (monotonic_ms() - begun_ms) / REFILL_MS + 1
        assert BURST <= len(handler.voice) <= allowed
        assert inbox.dropped >= 250 - allowed
    assert handler.reasons == ["that was all"]


async def test_nonsense_is_dropped_and_the_call_goes_on() -> None:
    handler = Recorder(wants_reference=False)
    odd = [
        media(1, b""),
        media(2, bytes(PAYLOAD_LIMIT + 1)),
    ]
    worse = [  # what our own libsrtp refuses to send
        b"\x9f" + media(3, b"good")[1:],  # an extension and sources that are not there
        b"\xa0" + media(4, b"good")[1:-1] + b"\xff",  # padding longer than the packet
        b"\x80",
    ]
    async with calling(handler) as (_, transport, inbox):
        for data in odd:
            await transport._send_rtp(data)
        for data in worse:
            await inbox._media(data, arrival_time_ms=0)
        await transport._send_rtp(b"\x80\xc8\x00\x01" + bytes(4))  # a report, cut short
        await transport._send_rtp(media(5, bytes(PAYLOAD_LIMIT)))
        await asyncio.wait_for(handler.heard.wait(), 20)
        assert len(handler.voice) == 1
        assert inbox.dropped == len(odd) + len(worse)


async def test_a_listener_that_fails_loses_a_packet_and_not_the_call() -> None:
    class Clumsy(Recorder):
        def on_voice(self, packet: Any) -> None:
            super().on_voice(packet)
            if len(self.voice) == 1:
                raise RuntimeError("broken")

    handler = Clumsy(wants_reference=False, wanted_voice=2)
    async with calling(handler) as (call, _, inbox):
        for packet in packets(2):
            call.send_voice(packet)
        await asyncio.wait_for(handler.heard.wait(), 20)
        assert inbox.dropped == 1
