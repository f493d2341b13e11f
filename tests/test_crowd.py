"""Calls at the same time: what is counted of them, and two real ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.callers import FPS, Script
from benchmarks.child import ChildFailedError
from benchmarks.crowd import SETTLE_S, CallersReport, Report, crowd, percentile, summarise
from benchmarks.processes import Usage

START_MS = 1000.0
SECONDS = 8
FIRST_MS = START_MS + 1000 * SETTLE_S
END_MS = FIRST_MS + 1000 * SECONDS
SENT = CallersReport(start_ms=START_MS, end_ms=END_MS, lag_p95_ms=2.0, sent_fps=24.0)


def report(fps: float, late_ms: float) -> Report:
    """A receiver that shows pictures evenly, before the measurement too, and much later then."""
    gap_ms = 1000 / fps
    settling = [{"shown_ms": START_MS + n * gap_ms, "late_ms": 900.0} for n in range(10)]
    steady = [
        {"shown_ms": FIRST_MS + n * gap_ms, "late_ms": late_ms} for n in range(round(fps * SECONDS))
    ]
    return Report.model_validate({"frames": settling + steady})


def watched(*busy: float) -> Any:
    """Processes that take so many CPU seconds a second; 50 at once while they start."""
    times = [0.0, FIRST_MS, (FIRST_MS + END_MS) / 2, END_MS, END_MS + 500]
    usages = [
        [Usage(at, 50 + share * at / 1000 if at else 0, 400.0) for at in times] for share in busy
    ]
    return SimpleNamespace(usages=usages, shares_mb=[300.0] * (len(busy) - 1))


def test_what_comes_after_all_have_joined_is_counted() -> None:
    found = summarise(watched(0.5, 0.7, 0.2), [report(25, 40.0), report(20, 80.0)], SENT)
    assert found["callers"] == 2
    assert found["seconds"] == SECONDS
    assert found["fps"] == pytest.approx(22.5)
    assert found["fps_least"] == pytest.approx(20)
    assert found["fps_of_callers"] == pytest.approx([25, 20])
    assert found["fps_each"] == pytest.approx([22.5] * 4)
    assert (found["late_p50_ms"], found["late_p95_ms"]) == (40.0, 80.0)
    assert found["late_p95_ms_each"] == [80.0] * 4
    assert found["late_p95_ms_of_callers"] == [40.0, 80.0]
    assert found["cpu_s_per_s"] == pytest.approx(0.6)
    assert found["cpu_ms_per_picture"] == pytest.approx(1200 / 45)
    assert found["memory_mb"] == 300.0
    assert found["sender"] == pytest.approx(
        {"sent_fps": 24.0, "cpu_s_per_s": 0.1, "lag_p95_ms": 2.0}
    )


def test_a_call_without_a_picture_has_no_lateness() -> None:
    found = summarise(watched(0.5, 0.2), [Report(frames=[])], SENT)
    assert found["fps_least"] == 0
    assert found["late_p95_ms"] is None
    assert found["cpu_ms_per_picture"] is None
    assert found["late_p95_ms_of_callers"] == [None]
    assert percentile([], 95) is None


def test_without_samples_there_is_a_sentence() -> None:
    early = SimpleNamespace(usages=[[Usage(0.0, 1.0, 1.0)]] * 2, shares_mb=[1.0])
    with pytest.raises(ChildFailedError, match="too short"):
        summarise(early, [report(25, 1.0)], SENT)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def script(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from benchmarks.video import cut

    folder = tmp_path_factory.mktemp("script")
    cut(demo_clip, 17.0, folder / "short.mp4")
    Script.of(folder / "short.mp4").save(folder / "script.npz")
    return folder / "script.npz"


@pytest.mark.timeout(400)  # up to four processes load their libraries at once
@pytest.mark.parametrize("rooms", [False, True])
def test_two_real_calls(script: Path, tmp_path: Path, rooms: bool) -> None:
    found = crowd(2, script, tmp_path, 4.0, rooms=rooms)
    assert found["callers"] == 2
    assert len(found["fps_of_callers"]) == 2
    assert 0 < found["fps_least"] <= found["fps"] < FPS + 5
    assert found["late_p50_ms"] is not None
    assert 0 < found["late_p50_ms"] <= found["late_p95_ms"]
    assert found["cpu_s_per_s"] > 0
    assert 50 < found["memory_mb"] <= found["rss_mb"] * 1.05
    assert found["sender"]["cpu_s_per_s"] < found["cpu_s_per_s"]
    assert len(list(tmp_path.glob("receiver-*.log"))) == (1 if rooms else 2)
