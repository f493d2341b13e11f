from __future__ import annotations

import asyncio

import numpy as np
import pytest

from receiver.hearing import WAITING, Hearing
from shared.clock import monotonic_ms
from shared.link_stats import LinkStats
from shared.sound_features import BANDS, FEATURES, STEPS
from shared.tally import Tally
from shared.voice import PACKET_MS, PACKET_SAMPLES, OpusPacket
from shared.voice_inbox import VoicePacket
from tests.tones import packets

OFFSET_MS = 5000.0  # this side's clock is so far ahead of the call's
TRANSIT_MS = 20.0
ORIGIN = 2**32 - 3 * PACKET_SAMPLES  # stamps begin anywhere, and wrap


def link(rtt_ms: float | None = 2 * TRANSIT_MS) -> LinkStats:
    tally = Tally()
    stats = tally.stats(None if rtt_ms is None else OFFSET_MS, 0.0)
    return LinkStats(**{**as_dict(stats), "rtt_ms": rtt_ms})


def as_dict(stats: LinkStats) -> dict[str, object]:
    return {name: getattr(stats, name) for name in LinkStats.__dataclass_fields__}


def arriving(
    sent: list[OpusPacket], late_ms: dict[int, float] | None = None, source: int = 1
) -> list[VoicePacket]:
    """Return packets whose sound begins at call clock 0, as they come over a network."""
    return [
        VoicePacket(
            source,
            (ORIGIN + (packet.pts or 0)) % 2**32,
            bytes(packet),
            OFFSET_MS + (number + 1) * PACKET_MS + TRANSIT_MS + (late_ms or {}).get(number, 0.0),
        )
        for number, packet in enumerate(sent)
    ]


def mute(packet: OpusPacket, spoken_ms: float) -> None:
    """Play nothing."""


def never(_: float) -> float:
    return monotonic_ms() + 10_000


def loudness(hearing: Hearing, at_ms: float) -> np.ndarray:
    """Return the loudest band of each step before a moment."""
    features = hearing.features(at_ms)
    assert features is not None
    return features.reshape(STEPS, BANDS).max(axis=1)


async def test_without_sound_nothing_is_heard() -> None:
    assert Hearing(mute, never).features(100.0) is None


async def test_sound_is_heard_when_it_was_spoken_whatever_the_network_did() -> None:
    # 0.6 s of silence, 0.6 s of a tone; every other packet is late by up to 150 ms.
    quiet, loud = packets(10, level=0.003), packets(20, hertz=800)[10:]
    hearing = Hearing(mute, never)
    for packet in arriving(quiet + loud, {i: 15.0 * (i % 11) for i in range(1, 20, 2)}):
        hearing.take(packet, link())
    assert hearing.packets == 20
    # The tone began at 600 ms: a moment 100 ms later has it in its last five steps of 20 ms.
    steps = loudness(hearing, 700)
    assert steps[-3:].min() > 0.8
    assert steps[: STEPS - 7].max() < 0.6
    assert loudness(hearing, 595)[:-2].max() < 0.6
    assert loudness(hearing, 1100).min() > 0.8
    hearing.stop()


async def test_the_time_is_right_within_a_few_milliseconds() -> None:
    hearing = Hearing(mute, never)
    for packet in arriving(packets(5)):
        hearing.take(packet, link())
    begin_ms = hearing._begin_ms
    assert begin_ms is not None
    assert begin_ms + ORIGIN / 48 == pytest.approx(0, abs=1)
    hearing.stop()


async def test_before_the_clocks_are_known_it_waits() -> None:
    played: list[OpusPacket] = []
    hearing = Hearing(lambda packet, _: played.append(packet), lambda _: 0.0)
    first, second = arriving(packets(2))
    hearing.take(first, link(None))
    assert hearing.features(0.0) is None
    hearing.take(second, link())
    assert hearing.features(0.0) is not None
    await asyncio.sleep(0.05)
    assert len(played) == 1


async def test_what_is_late_or_double_or_nonsense_is_left_out() -> None:
    hearing = Hearing(mute, never)
    sent = arriving(packets(4))
    for packet in (sent[0], sent[2], sent[1], sent[2], sent[3]):
        hearing.take(packet, link())
    assert hearing.packets == 3
    hearing.take(VoicePacket(1, (sent[3].stamp + PACKET_SAMPLES) % 2**32, b"", 9000.0), link())
    assert hearing.packets == 3
    hearing.stop()


async def test_a_gap_is_silent() -> None:
    hearing = Hearing(mute, never)
    sent = arriving(packets(15))
    for packet in sent[:5] + sent[10:]:
        hearing.take(packet, link())
    assert loudness(hearing, 590)[5:].max() == 0
    assert loudness(hearing, 900)[-10:].min() > 0.8
    hearing.stop()


async def test_another_connection_begins_another_line() -> None:
    hearing = Hearing(mute, never)
    for packet in arriving(packets(5)):
        hearing.take(packet, link())
    for packet in arriving(packets(10)[5:], source=2):
        hearing.take(packet, link())
    assert hearing.packets == 10
    assert loudness(hearing, 290)[-8:].min() > 0.8
    hearing.stop()


@pytest.mark.parametrize("leap", [1, PACKET_SAMPLES // 2, 2**20, 2**31, 2**32 - 7])
async def test_stamps_that_leap_keep_memory_bounded(leap: int) -> None:
    hearing = Hearing(mute, never)
    payload = bytes(packets(1)[0])
    for number in range(200):
        stamp = number * leap % 2**32
        hearing.take(VoicePacket(1, stamp, payload, OFFSET_MS + number), link())
        features = hearing.features(float(number))
        assert features is None or features.shape == (FEATURES,)
    assert len(hearing._samples) <= 32_000
    assert len(hearing._waiting) <= WAITING
    hearing.stop()


async def test_sound_is_played_with_the_picture_it_belongs_to() -> None:
    played: list[tuple[int | None, float, float]] = []
    begun = monotonic_ms()
    delay_ms = 200.0
    hearing = Hearing(
        lambda packet, spoken_ms: played.append((packet.pts, spoken_ms, monotonic_ms())),
        lambda spoken_ms: spoken_ms + OFFSET_MS + delay_ms,
    )
    sent = arriving(packets(3))
    for packet in sent:
        hearing.take(packet, link())
    await asyncio.sleep(0.4)
    assert [pts for pts, *_ in played] == [one.stamp for one in sent]
    steps = np.diff([spoken_ms for _, spoken_ms, _ in played])
    np.testing.assert_allclose(steps, PACKET_MS, atol=1e-3)
    # It came PACKET_MS and the transit after its beginning; the rest it had to wait, to a timer's
    # few milliseconds.
    assert played[0][2] - begun >= delay_ms - PACKET_MS - TRANSIT_MS - 5
