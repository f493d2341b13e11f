from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from shared.voice_track import QUEUE_SIZE, VoiceTrack
from tests.tones import packets


async def test_packets_come_out_as_they_went_in() -> None:
    track, sent = VoiceTrack(), packets(3)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    for packet in sent:
        track.put(packet)
    assert [await waiting, await track.recv(), await track.recv()] == sent


async def test_a_full_queue_drops_its_oldest() -> None:
    track, sent = VoiceTrack(), packets(QUEUE_SIZE + 3)
    for packet in sent:
        track.put(packet)
    assert [await track.recv() for _ in range(QUEUE_SIZE)] == sent[3:]


async def test_the_end_wakes_who_waits() -> None:
    track = VoiceTrack()
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(waiting, 5)
