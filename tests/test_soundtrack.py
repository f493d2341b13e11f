from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.soundtrack import Soundtrack, keep, kept_silence
from shared.sound_features import BANDS, STEPS
from shared.voice import RATE
from tests.sending import write_clip
from tests.tones import tone, write_sounding_clip


def loudest(track: Soundtrack, at_s: float) -> np.ndarray:
    return track.features(at_s).reshape(STEPS, BANDS).max(axis=1)


@pytest.mark.parametrize("begin_s", [0.0, 0.4])
def test_a_moment_hears_what_was_before_it(tmp_path: Path, begin_s: float) -> None:
    path = write_sounding_clip(tmp_path / "a.mkv", 2, tone(RATE), at_s=begin_s)
    track = Soundtrack.read(path)
    assert loudest(track, begin_s).max() == 0
    assert loudest(track, begin_s + 0.4).min() > 0.8
    steps = loudest(track, begin_s + 0.15)  # its first half is before the sound
    assert steps[:6].max() == 0
    assert steps[-5:].min() > 0.8
    assert loudest(track, begin_s + 1.5).max() == 0


def test_a_clip_without_sound_is_silent(tmp_path: Path) -> None:
    track = Soundtrack.read(write_clip(tmp_path / "a.mp4", 5))
    assert not track.features(0.1).any()


def test_eight_bits_are_enough() -> None:
    features = np.random.default_rng(1).random(300, np.float32)
    assert keep(features).dtype == np.uint8
    assert np.abs(keep(features) / 255 - features).max() < 0.002
    assert kept_silence(3).shape == (3, 300)
