from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from benchmarks.load_plot import draw


def step(callers: int, fps: float, late_ms: float | None) -> dict[str, Any]:
    half = None if late_ms is None else late_ms / 2
    return {
        "callers": callers,
        "fps": fps,
        "fps_of_callers": [fps - 1 + 2 * n / callers for n in range(callers)],
        "late_p50_ms": half,
        "late_p95_ms": late_ms,
        "late_p95_ms_of_callers": [late_ms] * callers,
        "cpu_s_per_s": 1.2 / callers,
        "memory_mb": 300.0,
    }


STEPS = [step(1, 24.8, 60.0), step(2, 15.0, 140.0), step(4, 6.0, 280.0)]


@pytest.mark.parametrize("steps", [STEPS, STEPS[:1], [*STEPS, step(8, 0.0, None)]])
def test_the_picture_shows_any_number_of_steps(tmp_path: Path, steps: list[dict[str, Any]]) -> None:
    said = "Of 1, 2, 4 simultaneous calls, a receiver process each, 1 call holds 25 fps. " * 2
    result = {"preset": "lite", "engine": "auto", "machine": "here", "sentence": said}
    draw(tmp_path / "load.png", {**result, "steps": steps})
    picture = cv2.imread(str(tmp_path / "load.png"))
    assert picture is not None
    assert picture.shape[1] > 1000
    assert (picture < 100).any()
