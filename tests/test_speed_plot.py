from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from benchmarks.speed_plot import draw, name_of

STAGE = {"median_ms": 2.0, "p95_ms": 3.0}


def run(engine: str, **more: Any) -> dict[str, Any]:
    stages = {"track": STAGE, "generate": {"median_ms": 40.0, "p95_ms": 70.0}}
    return {"engine": engine, "engine_name": "onnxruntime (CPU)", "preset": "lite",
            "stages": stages, **more}  # fmt: skip


CALL = {
    "cpu_s_per_s": {"sender": 0.2, "receiver": 1.2},
    "memory_mb": {"sender": 200.0, "receiver": 400.0},
    "startup_s": {"receiver": 3.0, "first_picture": 2.0},
    "call_fps": 20.0,
}


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("call", [{}, CALL])
def test_there_is_room_for_every_combination(
    tmp_path: Path, count: int, call: dict[str, Any]
) -> None:
    runs = [run("auto", **call) for _ in range(count)]
    draw(tmp_path / "speed.png", {**runs[0], "machine": "here", "runs": runs})
    picture = cv2.imread(str(tmp_path / "speed.png"))
    assert picture is not None
    assert picture.shape[0] > 300
    assert (picture < 250).any()


def test_a_name_says_what_was_asked_for_and_what_runs() -> None:
    assert name_of(run("auto")) == "lite, auto: onnxruntime (CPU)"
    assert name_of(run("onnxruntime")) == "lite, onnxruntime (CPU)"
