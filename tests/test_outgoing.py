"""Frames on their way out: bundled, in time, and with a key after every doubt."""

from __future__ import annotations

import asyncio

import pytest

from shared.latency import Latency
from shared.outgoing import Outgoing
from shared.wire import FrameDecoder
from shared.wire_errors import StaleKeyError
from tests.sending import frames


class Line:
    """Takes packets, or none while it is cut."""

    def __init__(self) -> None:
        self.cut = False
        self.packets: list[bytes] = []
        self.counts: list[int] = []
        self.heard = asyncio.Event()

    def send(self, packet: bytes, count: int) -> bool:
        if self.cut:
            return False
        self.packets.append(packet)
        self.counts.append(count)
        self.heard.set()
        return True

    def numbers(self) -> list[int]:
        decoder = FrameDecoder()
        return [frame.sequence for packet in self.packets for frame in decoder.decode(packet)]


@pytest.mark.parametrize("latency", list(Latency))
async def test_frames_leave_in_packets_and_the_rest_when_told(latency: Latency) -> None:
    line = Line()
    outgoing = Outgoing(latency, line.send)
    for frame in frames(10):
        outgoing.add(frame)
    outgoing.flush()
    assert line.numbers() == list(range(10))
    assert sum(line.counts) == 10
    assert max(line.counts) == min(latency.frames, 10)


async def test_a_frame_does_not_wait_for_others_that_never_come() -> None:
    line = Line()
    Outgoing(Latency.NORMAL, line.send).add(frames(1)[0])
    assert line.packets == []
    await line.heard.wait()
    assert line.numbers() == [0]


async def test_after_a_packet_that_did_not_leave_the_next_stands_alone() -> None:
    line = Line()
    outgoing = Outgoing(Latency.LOW, line.send)
    sent = frames(12)
    for frame in sent[:2]:
        outgoing.add(frame)
    line.cut = True
    for frame in sent[2:7]:
        outgoing.add(frame)
    line.cut = False
    for frame in sent[7:]:
        outgoing.add(frame)
    line.packets = line.packets[2:]  # as a decoder that begins here
    assert line.numbers() == list(range(7, 12))


async def test_starting_over_drops_what_waits() -> None:
    line = Line()
    outgoing = Outgoing(Latency.NORMAL, line.send)
    for frame in frames(2):
        outgoing.add(frame)
    outgoing.start_over()
    outgoing.flush()
    assert line.packets == []


@pytest.mark.parametrize("latency", list(Latency))
async def test_while_packets_get_lost_each_stands_alone(latency: Latency) -> None:
    line, lossy = Line(), False
    outgoing = Outgoing(latency, line.send, lambda: lossy)
    sent = frames(140)
    for frame in sent[:70]:
        outgoing.add(frame)
    outgoing.flush()
    calm = len(line.packets)
    lossy = True
    for frame in sent[70:]:
        outgoing.add(frame)
    outgoing.flush()
    alone = [FrameDecoder().decode(packet) for packet in line.packets[calm:]]
    assert [frame.sequence for taken in alone for frame in taken] == list(range(70, 140))
    if latency.key_packets > 1:
        with pytest.raises(StaleKeyError):
            FrameDecoder().decode(line.packets[1])
    assert line.numbers() == list(range(140))
