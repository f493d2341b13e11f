"""The load benchmark's words and its command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.child import ChildFailedError
from benchmarks.load import counts, holds, report, run, sentence
from benchmarks.video import cut
from shared.errors import BadInputError

ROOT = Path(__file__).resolve().parent.parent


def step(callers: int, fps: float, late_ms: float | None) -> dict[str, Any]:
    return {
        "callers": callers, "fps": fps + 1, "fps_least": fps, "late_p50_ms": late_ms,
        "late_p95_ms": late_ms, "cpu_s_per_s": 0.5,
        "cpu_ms_per_picture": None if late_ms is None else 20.0, "memory_mb": 300.0,
        "sender": {"lag_p95_ms": 1.0},
    }  # fmt: skip


def test_numbers_of_callers() -> None:
    assert counts("4,1,2,2") == [1, 2, 4]
    for bad in ("", "a", "0", "1,,2", "-1", "1000"):
        with pytest.raises(BadInputError, match="--callers"):
            counts(bad)
    with pytest.raises(BadInputError, match="from 1 to 16"):
        counts("17", 16)


def test_a_rate_is_held_up_to_the_first_that_is_too_slow_or_too_late() -> None:
    steps = [step(1, 24.9, 50.0), step(2, 24.0, 90.0), step(3, 20.0, 110.0), step(4, 24.9, 50.0)]
    assert holds(steps, 25) == 1
    assert holds(steps, 20) == 2
    assert holds([step(1, 0.0, None)], 20) == 0
    assert holds([], 20) == 0


def test_the_sentence() -> None:
    said = sentence([step(1, 24.9, 50.0), step(2, 24.0, 90.0), step(4, 5.0, 200.0)])
    assert "With 1, 2, 4 simultaneous calls tried, a receiver process each, " in said
    assert "1 call holds 25 fps and 2 calls hold 20 fps with a p95 lateness under 100 ms" in said
    assert "no number of calls holds 25 fps" in sentence([step(2, 3.0, 500.0)])
    assert "one receiver process with a room each" in sentence([step(2, 3.0, 500.0)], rooms=True)
    assert report([step(1, 24.9, None)]).row_count == 1


def test_it_goes_on_until_calls_no_longer_come_about(demo_clip: Path, tmp_path: Path) -> None:
    clip = tmp_path / "short.mp4"
    cut(demo_clip, 19.0, clip)

    def measure(count: int, script: Path, folder: Path) -> dict[str, Any]:
        assert script.is_file()
        assert folder.is_dir()
        if count > 2:
            raise ChildFailedError("The callers ended with exit code 3.", 3)
        return step(count, 25.0, 10.0)

    steps, failed = run([1, 2, 4, 8], clip, tmp_path, measure)
    assert [one["callers"] for one in steps] == [1, 2]
    assert failed == "4 calls did not come about: The callers ended with exit code 3."
    assert run([1, 2], clip, tmp_path, measure)[1] is None
    with pytest.raises(ChildFailedError):
        run([4], clip, tmp_path, measure)


def test_a_bad_option_is_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", "--callers", "many", "--out", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "give numbers from 1" in done.stderr
    assert "Traceback" not in done.stderr
