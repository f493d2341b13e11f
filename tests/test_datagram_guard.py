"""Datagrams from strangers, which reach every open port."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from aiortc.sdp import SessionDescription

from shared.call_receiver import CallReceiver
from tests.sending import Recorder, frames, receiving, track
from tests.test_transport import connect

CRASHERS = Path(__file__).parent / "fixtures" / "crashers"


def addresses(call: CallReceiver) -> list[tuple[str, int]]:
    media = SessionDescription.parse(
        call._lifeline._links[0].connection.localDescription.sdp
    ).media[0]
    return [(item.ip, item.port) for item in media.ice_candidates if ":" not in item.ip]


async def test_a_strangers_datagrams_do_not_end_a_call() -> None:
    handler = Recorder(wants_reference=False, wanted_frames=5)
    async with receiving(handler) as receiver:
        call = await connect(receiver.url)
        await call.send_calibration(track(1)[0])
        await handler.calibrated.wait()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for address in addresses(receiver.calls[0]):
                for path in sorted(CRASHERS.glob("datagram-*")):
                    stranger.sendto(path.read_bytes(), address)
                stranger.sendto(b"\x80", address)
                stranger.sendto(b"\x17\xfe\xfd", address)
        await asyncio.sleep(0.1)
        for frame in frames(5):
            assert call.send_frame(frame)
            await asyncio.sleep(0.01)
        await asyncio.wait_for(handler.enough.wait(), 20)
        assert not handler.reasons
        await call.close("done")
