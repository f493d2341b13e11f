"""Opus packets in a file: in order, once each, at their times."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from receiver.file_sound import FileSound
from shared.voice import PACKET_MS, OpusPacket
from tests.tones import packets


def written(path: Path, heard: list[tuple[OpusPacket, float]]) -> list[float]:
    """Return where each packet lies in a file, ms."""
    with av.open(str(path), "w") as container:
        sound = FileSound(container)
        for packet, at_ms in heard:
            sound.write(packet, at_ms)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name in {"libopus", "opus"}
        return [
            float(packet.pts * packet.time_base * 1000)
            for packet in container.demux(stream)
            if packet.pts is not None
        ]


def spoken(count: int, at_ms: float) -> list[tuple[OpusPacket, float]]:
    return [(one, at_ms + n * PACKET_MS) for n, one in enumerate(packets(count))]


def test_stamps_are_kept_though_their_beginning_is_guessed_anew(tmp_path: Path) -> None:
    jitter = [0.0, 20.0, -30.0, 45.0, 5.0]
    heard = [(one, at + d) for (one, at), d in zip(spoken(5, 100.0), jitter, strict=True)]
    times = written(tmp_path / "a.mkv", heard)
    assert times == pytest.approx([100 + n * PACKET_MS for n in range(5)], abs=8)


def test_what_was_spoken_before_the_file_began_is_left_out(tmp_path: Path) -> None:
    times = written(tmp_path / "a.mkv", spoken(5, -130.0))
    assert times == pytest.approx([50.0, 110.0], abs=8)


def test_after_a_cut_sound_goes_on_at_its_place(tmp_path: Path) -> None:
    first, second = spoken(3, 0.0), spoken(3, 5000.0)  # stamps of the second begin at 0 again
    times = written(tmp_path / "a.mkv", first + second)
    assert times == pytest.approx([0, 60, 120, 5000, 5060, 5120], abs=8)


@pytest.mark.parametrize("at_ms", [-1e12, 1e12, 2.0**40])
def test_a_moment_out_of_this_world_is_left_out(tmp_path: Path, at_ms: float) -> None:
    (packet, _), *rest = spoken(3, 0.0)
    times = written(tmp_path / "a.mkv", [*rest[:1], (packet, at_ms), *rest[1:]])
    assert len(times) == 2


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_leaps_of_hours_keep_their_place(tmp_path: Path, name: str) -> None:
    hour_ms = 3_600_000.0
    heard = [(one, n * 11 * hour_ms) for n, one in enumerate(packets(3))]
    assert written(tmp_path / name, heard) == pytest.approx([n * 11 * hour_ms for n in range(3)])
    (packet, _), *_ = heard
    times = written(tmp_path / name, [heard[0], (packet, 13 * hour_ms), heard[1]])
    assert times == pytest.approx([0, 11 * hour_ms])  # what would not fit is left out


def test_the_packet_itself_stays_as_it_is(tmp_path: Path) -> None:
    heard = spoken(2, 400.0)
    before = [(one.pts, bytes(one)) for one, _ in heard]
    written(tmp_path / "a.mp4", heard)
    assert [(one.pts, bytes(one)) for one, _ in heard] == before
