from __future__ import annotations

import numpy as np
import pytest

from shared.sound_features import (
    BANDS,
    FEATURES,
    FFT,
    FLOOR_DB,
    HIGHEST_HZ,
    HOP,
    LOWEST_HZ,
    SPAN,
    STEPS,
    WINDOW,
    sound_features,
)
from shared.voice import HEARD_RATE, Floats


def noise(seed: int = 1, level: float = 0.1) -> Floats:
    return np.random.default_rng(seed).normal(0, level, SPAN).astype(np.float32)


def tone(hertz: float, level: float) -> Floats:
    return np.asarray(level * np.sin(2 * np.pi * hertz * np.arange(SPAN) / HEARD_RATE), np.float32)


def mel(hertz: float) -> float:
    return 2595 * np.log10(1 + hertz / 700)


def slow(samples: Floats) -> Floats:
    """Return the same features by the definition of each, one number after the other."""
    edges = [mel(LOWEST_HZ) + i * (mel(HIGHEST_HZ) - mel(LOWEST_HZ)) / (BANDS + 1)
             for i in range(BANDS + 2)]  # fmt: skip
    edges = [700 * (10 ** (edge / 2595) - 1) for edge in edges]
    window = [0.5 - 0.5 * np.cos(2 * np.pi * (i + 1) / (WINDOW + 1)) for i in range(WINDOW)]
    result = []
    for step in range(STEPS):
        part = [samples[step * HOP + i] * window[i] for i in range(WINDOW)]
        turns = np.exp(-2j * np.pi * np.outer(np.arange(FFT // 2 + 1), np.arange(WINDOW)) / FFT)
        power = [abs(sum(row * part)) ** 2 * (2 / sum(window)) ** 2 for row in turns]
        for low, peak, high in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for index, value in enumerate(power):
                hertz = index * HEARD_RATE / FFT
                share = min((hertz - low) / (peak - low), (high - hertz) / (high - peak))
                total += max(share, 0.0) * value
            decibels = 10 * np.log10(max(total, 1e-12))
            result.append(min(max(1 - decibels / FLOOR_DB, 0.0), 1.0))
    return np.array(result, np.float32)


def test_they_are_what_their_definition_says() -> None:
    for samples in (noise(), tone(440, 0.5), noise(2, 1e-4)):
        np.testing.assert_allclose(sound_features(samples), slow(samples), atol=2e-4)


def test_there_are_300_of_the_last_third_of_a_second() -> None:
    assert sound_features(noise()).shape == (FEATURES,) == (300,)
    assert pytest.approx(0.3, abs=0.01) == SPAN / HEARD_RATE


def test_silence_is_nothing_and_a_full_tone_is_all() -> None:
    assert not sound_features(np.zeros(SPAN, np.float32)).any()
    loud = sound_features(tone(1000, 1.0))
    assert loud.max() == pytest.approx(1, abs=0.05)
    assert loud.min() >= 0


def test_a_tone_is_heard_where_it_is() -> None:
    bands = [
        int(sound_features(tone(hertz, 0.1)).reshape(STEPS, BANDS)[7].argmax())
        for hertz in (150, 500, 1200, 3000, 6500)
    ]
    assert bands == sorted(set(bands))
    assert bands[0] <= 1
    assert bands[-1] >= BANDS - 3


def test_the_last_step_is_the_newest() -> None:
    samples = np.zeros(SPAN, np.float32)
    samples[-HOP:] = noise()[-HOP:]
    steps = sound_features(samples).reshape(STEPS, BANDS).max(axis=1)
    assert steps[-1] > 0.3
    assert not steps[: STEPS - 3].any()


def test_ten_decibels_are_an_eighth() -> None:
    quiet, loud = (sound_features(tone(1000, level)).max() for level in (0.01, 0.01 * 10**0.5))
    assert loud - quiet == pytest.approx(10 / 80, abs=1e-3)
