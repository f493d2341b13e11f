"""The filter's benchmark on series made up for it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.smoothing import FRAME_MS, delay_ms, smooth, tremble


def wave(delay_frames: float = 0.0) -> np.ndarray:
    times = np.arange(200.0) - delay_frames
    return np.sin(times[:, None] / 12 + np.arange(35)) * 20


@pytest.mark.parametrize("frames", [0.0, 0.5, 1.2])
def test_a_delay_is_found(frames: float) -> None:
    assert delay_ms(wave(frames), wave()) == pytest.approx(frames * FRAME_MS, abs=4)


def test_tremble_is_counted_where_the_face_keeps_still() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(0, 0.5, (200, 35))
    walking = rows.copy()
    walking[:100] += 40 * np.arange(100)[:, None]
    assert tremble(walking, walking) == pytest.approx(tremble(rows, rows), rel=0.1)
    assert tremble(0.5 * rows, rows) == pytest.approx(0.5 * tremble(rows, rows))


def test_smoothing_goes_along_time_alone() -> None:
    rows = np.zeros((21, 35))
    rows[10, 3] = 1
    smoothed = smooth(rows, 1.0)
    assert smoothed[:, 3].sum() == pytest.approx(1)
    assert smoothed[9, 3] == pytest.approx(smoothed[11, 3])
    assert not np.delete(smoothed, 3, axis=1).any()
