"""The three settings of delay against bits."""

from __future__ import annotations

import pytest

from shared.latency import Latency
from shared.wire import MAX_DISTANCE, MAX_FRAMES

FRAME_MS = 40


@pytest.mark.parametrize("latency", list(Latency))
def test_a_packets_frames_are_collected_within_its_wait(latency: Latency) -> None:
    assert (latency.frames - 1) * FRAME_MS <= latency.wait_ms
    assert 1 <= latency.frames <= MAX_FRAMES


@pytest.mark.parametrize("latency", list(Latency))
def test_a_lost_packet_hurts_for_less_than_half_a_second(latency: Latency) -> None:
    assert latency.frames * latency.key_packets * FRAME_MS < 500
    assert latency.frames * (latency.key_packets - 1) <= MAX_DISTANCE


def test_the_longer_the_wait_the_more_frames_share_a_packet() -> None:
    assert Latency.LOW.frames < Latency.NORMAL.frames < Latency.ECONOMY.frames
    assert Latency.LOW.wait_ms == 0
