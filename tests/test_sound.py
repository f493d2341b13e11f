from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from sender.sound import ClipSound, Microphone, open_sound
from shared.clock import CallClock
from shared.errors import BadInputError
from shared.voice import HEARD_RATE, PACKET_SAMPLES, RATE, Floats, OpusPacket, VoiceDecoder
from tests.sending import write_clip
from tests.tones import tone, write_sounding_clip


class Ear:
    """Takes packets from the sound's thread."""

    def __init__(self, wanted: int) -> None:
        self.packets: list[OpusPacket] = []
        self.clock = CallClock()
        self.late_ms: list[float] = []
        self._wanted = wanted
        self._enough = threading.Event()

    def take(self, packet: OpusPacket) -> None:
        assert packet.pts is not None
        self.late_ms.append(self.clock.now_ms() - (packet.pts + PACKET_SAMPLES) * 1000 / RATE)
        self.packets.append(packet)
        if len(self.packets) >= self._wanted:
            self._enough.set()

    def wait(self) -> None:
        assert self._enough.wait(20)

    def hear(self) -> tuple[float, Floats]:
        """Return when the first packet's sound begins, ms, and all sound (a gap is no gap)."""
        decoder, first = VoiceDecoder(), self.packets[0].pts
        assert first is not None
        return first * 1000 / RATE, np.concatenate(
            [decoder.decode(bytes(packet)) for packet in self.packets]
        )


def play(path: Path, wanted: int, *, loop: bool = False, started_ms: float = 0.0) -> Ear:
    ear = Ear(wanted)
    sound = ClipSound(path, loop, ear.take)
    sound.start(ear.clock.now_ms, lambda: started_ms)
    try:
        ear.wait()
    finally:
        sound.stop()
    return ear


def test_a_clip_s_sound_comes_in_real_time_at_its_place(tmp_path: Path) -> None:
    silence = np.zeros(RATE // 4, np.int16)
    clip = write_sounding_clip(tmp_path / "a.mkv", 1, np.concatenate([silence, tone(RATE // 2)]))
    ear = play(clip, 10, started_ms=100.0)
    # It is sent when its last sample is due, and never before.
    assert min(ear.late_ms) > -1
    begin_ms, sound = ear.hear()
    assert begin_ms == pytest.approx(100, abs=20)
    onset = int(np.argmax(np.abs(sound) > 0.1))
    assert begin_ms + onset * 1000 / HEARD_RATE == pytest.approx(350, abs=15)


def test_a_gap_before_the_sound_is_silent(tmp_path: Path) -> None:
    clip = write_sounding_clip(tmp_path / "a.mkv", 1, tone(RATE // 2), at_s=0.3)
    begin_ms, sound = play(clip, 11).hear()
    onset = int(np.argmax(np.abs(sound) > 0.1))
    assert begin_ms + onset * 1000 / HEARD_RATE == pytest.approx(300, abs=15)


def test_a_clip_that_loops_sounds_again_with_its_pictures(tmp_path: Path) -> None:
    clip = write_sounding_clip(tmp_path / "a.mkv", 0.4, tone(RATE // 5))
    begin_ms, sound = play(clip, 12, loop=True).hear()
    loud = np.abs(sound[: len(sound) // 160 * 160]).reshape(-1, 160).max(axis=1) > 0.05
    onsets = np.flatnonzero(loud[1:] & ~loud[:-1])
    assert len(onsets) >= 1
    assert begin_ms + onsets[-1] * 10 == pytest.approx(400, abs=20)


def test_what_was_before_the_call_is_passed_over(tmp_path: Path) -> None:
    clip = write_sounding_clip(tmp_path / "a.mkv", 4, tone(4 * RATE))
    ear = play(clip, 3, started_ms=-3000.0)
    assert ear.packets[0].pts is not None
    assert ear.packets[0].pts > -RATE


def test_it_waits_for_the_pictures_and_can_be_stopped_before(tmp_path: Path) -> None:
    clip = write_sounding_clip(tmp_path / "a.mkv", 1, tone(RATE))
    ear = Ear(1)
    sound = ClipSound(clip, False, ear.take)
    sound.start(ear.clock.now_ms, lambda: None)
    sound.stop()
    assert ear.packets == []


def test_a_clip_without_sound_is_a_sentence(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 5)
    with pytest.raises(BadInputError, match="has no sound; leave out --sound"):
        open_sound(str(clip), False, lambda _: None)


def test_no_microphone_is_a_sentence() -> None:
    sentence = ""
    try:
        Microphone(lambda _: None).stop()
    except BadInputError as error:
        sentence = str(error)
    if not sentence:
        pytest.skip("this machine has a microphone")
    assert "leave out --sound" in sentence
