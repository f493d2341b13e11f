"""Frames put into packets, and still faces left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from shared.bundler import (
    REFRESH_MS,
    SEEN_TO_LOOK,
    SEEN_TO_MOVE,
    SEEN_TO_SPEAK,
    SEEN_TO_SWAY,
    UNEVEN_MS,
    Bundler,
)
from shared.detail import Detail
from shared.latency import Latency
from shared.params import Frame, Params
from shared.wire_table import wire_table, wire_tables
from tests.sending import frames, track


def numbers(packets: list[list[Frame]]) -> list[list[int]]:
    return [[frame.sequence for frame in packet] for packet in packets]


def sent(bundler: Bundler, given: list[Frame]) -> list[list[Frame]]:
    return [packet for frame in given for packet in bundler.add(frame)]


@pytest.mark.parametrize("latency", list(Latency))
def test_packets_hold_as_many_frames_as_the_setting_says(latency: Latency) -> None:
    packets = sent(Bundler(latency), frames(70))
    assert {len(packet) for packet in packets} == {latency.frames}
    assert list(chain(*numbers(packets))) == list(range(70 - 70 % latency.frames))


@pytest.mark.parametrize("latency", list(Latency))
@pytest.mark.parametrize("interval_ms", [16, 33, 66, 100, 300])
def test_no_frame_waits_longer_than_promised_at_any_frame_rate(
    latency: Latency, interval_ms: int
) -> None:
    given = [replace(frame, captured_ms=frame.sequence * interval_ms) for frame in frames(60)]
    for packet in sent(Bundler(latency), given)[1:]:  # the first shows the frame rate
        assert packet[-1].captured_ms - packet[0].captured_ms <= latency.wait_ms + UNEVEN_MS


def test_a_missing_number_begins_a_new_packet() -> None:
    given = [frame for frame in frames(8) if frame.sequence != 4]
    assert numbers(sent(Bundler(Latency.NORMAL), given)) == [[0, 1, 2], [3], [5, 6, 7]]


def test_what_waits_can_be_sent_at_once() -> None:
    bundler = Bundler(Latency.NORMAL)
    assert bundler.wait_ms() is None
    assert sent(bundler, frames(2)) == []
    assert bundler.wait_ms() == Latency.NORMAL.wait_ms
    assert numbers(bundler.flush()) == [[0, 1]]
    assert bundler.wait_ms() is None
    assert bundler.flush() == []


def still(count: int, seed: int = 3) -> list[Frame]:
    """Return frames that only tremble, less than can be seen."""
    random, face = np.random.default_rng(seed), track(1)[0].to_vector()
    steps = wire_table().steps
    shake = random.normal(0, 1, (count, len(steps)))
    shake *= 0.4 * SEEN_TO_MOVE / np.linalg.norm(shake, axis=1, keepdims=True)
    return [Frame(i, 40 * i, Params.from_vector(face + row * steps)) for i, row in enumerate(shake)]


@pytest.mark.parametrize("latency", list(Latency))
def test_a_still_face_is_only_refreshed(latency: Latency) -> None:
    bundler, given = Bundler(latency), still(25 * 20)
    packets = sent(bundler, given)
    seconds = len(given) / 25
    assert seconds * 1000 / REFRESH_MS * 0.7 < len(packets) < seconds * 1000 / REFRESH_MS + 2
    assert all(len(packet) == 1 for packet in packets[1:])
    assert bundler.frames_still >= len(given) - len(packets) * latency.frames


@pytest.mark.parametrize("latency", list(Latency))
def test_what_the_receiver_holds_never_looks_different(latency: Latency) -> None:
    bundler, steps = Bundler(latency), wire_table().steps
    given = still(50) + [
        replace(frame, sequence=frame.sequence + 50, captured_ms=frame.captured_ms + 2000)
        for frame in frames(50)
    ]
    shown = {frame.sequence: frame for packet in sent(bundler, given) for frame in packet}
    held = given[0]
    for frame in given[: len(given) - latency.frames]:
        held = shown.get(frame.sequence, held)
        away = (frame.params.to_vector() - held.params.to_vector()) / steps
        assert np.linalg.norm(away) < SEEN_TO_MOVE


def test_a_moving_face_is_sent_whole() -> None:
    bundler = Bundler(Latency.LOW)
    assert len(sent(bundler, frames(100))) == 100
    assert bundler.frames_still == 0


@pytest.mark.parametrize(
    ("part", "seen"), [("sway", SEEN_TO_SWAY), ("mouth", SEEN_TO_SPEAK), ("iris", SEEN_TO_LOOK)]
)
def test_a_detail_that_changes_in_a_still_face_is_sent(part: str, seen: float) -> None:
    bundler, steps = Bundler(Latency.LOW), getattr(wire_tables(), part).steps
    away = (2 * seen * steps / np.sqrt(len(steps))).astype(np.float32)
    given = [
        replace(frame, detail=replace(Detail.none(), **{part: n * away}))
        for n, frame in enumerate(still(5))
    ]
    assert numbers(sent(bundler, given)) == [[n] for n in range(5)]
    assert bundler.frames_still == 0


@pytest.mark.parametrize("part", ["sway", "mouth", "iris"])
def test_a_detail_that_trembles_is_still(part: str) -> None:
    bundler, steps = Bundler(Latency.LOW), getattr(wire_tables(), part).steps
    shake = np.random.default_rng(1).uniform(-0.5, 0.5, (5, len(steps))).astype(np.float32)
    given = [
        replace(f, detail=replace(Detail.none(), **{part: (row * steps).astype(np.float32)}))
        for f, row in zip(still(5), shake, strict=True)
    ]
    assert numbers(sent(bundler, given)) == [[0]]
