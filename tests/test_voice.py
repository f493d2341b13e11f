from __future__ import annotations

import numpy as np
import pytest

from shared.voice import (
    BIT_RATE,
    HANG,
    HEARD_RATE,
    PACKET_MS,
    PACKET_SAMPLES,
    RATE,
    VoiceDecoder,
    VoiceEncoder,
)
from tests.tones import packets, tone


def loudest(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound))
    return float(np.argmax(spectrum)) * HEARD_RATE / len(sound)


def test_a_tone_comes_back_at_its_pitch_and_length() -> None:
    decoder = VoiceDecoder()
    sound = np.concatenate([decoder.decode(bytes(one)) for one in packets(20, hertz=700)])
    assert len(sound) == pytest.approx(20 * PACKET_MS * HEARD_RATE / 1000, abs=100)
    assert loudest(sound[4000:12000]) == pytest.approx(700, abs=5)
    assert np.abs(sound).max() == pytest.approx(0.3, abs=0.1)


def test_time_stamps_run_on_in_samples() -> None:
    stamps = [packet.pts for packet in packets(10)]
    assert set(np.diff(stamps)) == {PACKET_SAMPLES}
    # What a decoder returns first is the encoder's own delay, before the sound begins.
    assert -0.02 * RATE < stamps[0] <= 0


def test_the_bit_rate_is_a_voice_s() -> None:
    noise = np.random.default_rng(1).normal(0, 2000, (100, PACKET_SAMPLES)).astype(np.int16)
    encoder = VoiceEncoder()
    made = [encoder.encode(part, i * PACKET_SAMPLES) for i, part in enumerate(noise)]
    bits = sum(8 * len(bytes(packet)) for packet in made if packet is not None)
    assert bits / (100 * PACKET_MS / 1000) < 1.4 * BIT_RATE


def test_silence_is_not_sent_after_a_short_while() -> None:
    encoder = VoiceEncoder()
    silence = np.zeros(PACKET_SAMPLES, np.int16)
    parts = [silence] * 10 + [tone(PACKET_SAMPLES)] + [silence] * 10
    sent = [encoder.encode(part, i * PACKET_SAMPLES) is not None for i, part in enumerate(parts)]
    quiet = [True] * HANG + [False] * (10 - HANG)
    assert sent == [*quiet, True, *quiet]


@pytest.mark.parametrize("size", [0, 1, 2, 40, 360])
def test_noise_in_place_of_opus_is_refused_or_bounded(size: int) -> None:
    decoder, random = VoiceDecoder(), np.random.default_rng(size)
    for _ in range(100):
        try:
            sound = decoder.decode(random.bytes(size))
        except ValueError:
            continue
        assert len(sound) <= 0.13 * HEARD_RATE
        assert np.isfinite(sound).all()
