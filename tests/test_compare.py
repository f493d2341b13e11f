"""Two results laid side by side."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import Change, Noise, changes, noise_of, summary, unfair
from benchmarks.readings import Reading
from benchmarks.results import stamp
from shared.errors import BadInputError

ROOT = Path(__file__).resolve().parent.parent


def result() -> dict[str, Any]:
    return {
        "engine": "auto",
        "engine_name": "onnxruntime (CPU)",
        "preset": "lite",
        "frames": 400,
        "receiver_fps": 20.0,
        "stages": {
            "track": {
                "median_ms": 5.0,
                "p95_ms": 8.0,
                "median_ms_each": [4.9, 5.0, 5.1, 5.0],
            },
            "generate": {"median_ms": 40.0, "p95_ms": 60.0},
        },
        "run": stamp("speed") | {"dirty": False},
    }


def by_name(old: dict[str, Any], new: dict[str, Any], threshold: float = 3.0) -> dict[str, Change]:
    return {change.name: change for change in changes(old, new, threshold)}


def test_the_same_file_twice_has_no_change() -> None:
    found = changes(result(), result(), 3.0)
    assert len(found) == 6
    assert all(change.percent == 0 and not change.verdict for change in found)
    assert unfair(result(), result()) == []


def test_better_and_worse_go_by_the_metric() -> None:
    new = result()
    new["receiver_fps"] = 25.0
    new["stages"]["generate"]["median_ms"] = 50.0
    found = by_name(result(), new)
    assert found["receiver_fps"].verdict == "better"
    assert found["receiver_fps"].percent == pytest.approx(25)
    assert found["receiver_fps"].noise is Noise.UNKNOWN
    assert found["stages › generate › median_ms"].verdict == "worse"
    assert found["stages › generate › median_ms"].noise is Noise.BEYOND
    assert "1 are better, 1 worse" in summary(list(found.values()), 0, 3.0)
    assert not by_name(result(), new, 30.0)["receiver_fps"].verdict


def test_repeats_that_overlap_are_noise_and_those_that_do_not_are_none() -> None:
    noisy, clear = result(), result()
    noisy["stages"]["track"] |= {"median_ms": 5.5, "median_ms_each": [4.8, 6.4, 5.0, 5.9]}
    clear["stages"]["track"] |= {"median_ms": 5.5, "median_ms_each": [5.4, 5.5, 5.6, 5.5]}
    name = "stages › track › median_ms"
    within = by_name(result(), noisy)[name]
    assert (within.verdict, within.noise) == ("", Noise.WITHIN)
    assert "1 moved as far within noise" in summary(changes(result(), noisy, 3.0), 0, 3.0)
    beyond = by_name(result(), clear)[name]
    assert (beyond.verdict, beyond.noise) == ("worse", Noise.BEYOND)


def test_without_repeats_the_spread_and_the_count_decide() -> None:
    def reading(value: float, count: int | None) -> Reading:
        return Reading("x", ("x",), value, (), 20.0, count)

    assert noise_of(reading(40, 10), reading(44, 10)) is Noise.WITHIN
    assert noise_of(reading(40, 1000), reading(44, 1000)) is Noise.BEYOND
    assert noise_of(reading(40, None), reading(44, None)) is Noise.WITHIN
    plain = Reading("x", ("x",), 1.0)
    assert noise_of(plain, plain) is Noise.UNKNOWN
    steady = Reading("x", ("x",), 1.0, (1.0, 1.0, 1.0))
    other = Reading("x", ("x",), 2.0, (2.0, 2.0, 2.0))
    assert noise_of(steady, steady) is Noise.WITHIN
    assert noise_of(steady, other) is Noise.BEYOND


def test_from_nothing_and_neither_way() -> None:
    old, new = {"stale_shown": 0, "seed": 1, "fps": 0.0}, {"stale_shown": 2, "seed": 2, "fps": 0.0}
    found = by_name(old, new)
    assert found["stale_shown"].verdict == "worse"
    assert found["seed"].verdict == "changed"
    assert found["fps"].verdict == ""


def test_what_makes_a_comparison_unfair_is_said() -> None:
    new = copy.deepcopy(result())
    new["engine_name"] = "tensorrt"
    new["run"]["machine"]["cpu"] = "another"
    new["run"]["versions"]["numpy"] = "0.1"
    new["run"]["dirty"] = True
    said = " ".join(unfair(result(), new))
    assert "The machines differ" in said
    assert "The engines differ (onnxruntime (CPU); tensorrt)" in said
    assert "→ 0.1" in said
    assert "changes that its commit does not have" in said
    assert "does not say what it was measured on" in " ".join(unfair({"a": 1}, result()))


def test_other_benchmarks_are_bad_input() -> None:
    other = {"frames": 400, "run": stamp("fit")}
    with pytest.raises(BadInputError, match="of speed and of fit"):
        changes(result(), other, 3.0)
    with pytest.raises(BadInputError, match="no figure in common"):
        changes({"a": 1}, {"b": 1}, 3.0)


def test_the_command(tmp_path: Path) -> None:
    new = result()
    new["receiver_fps"] = 10.0
    (tmp_path / "old.json").write_text(json.dumps(result()))
    (tmp_path / "new.json").write_text(json.dumps(new))
    (tmp_path / "bad.json").write_text("not JSON")

    def run(*names: str) -> subprocess.CompletedProcess[str]:
        files = [str(tmp_path / name) for name in names]
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.compare", *files],
            cwd=ROOT, capture_output=True, text=True, check=False, env={"COLUMNS": "120"},
        )  # fmt: skip

    good = run("old.json", "new.json")
    assert good.returncode == 0, good.stderr
    assert "receiver_fps" in good.stdout
    assert "-50.0 %" in good.stdout
    assert "worse" in good.stdout
    assert "track" not in good.stdout
    for bad in (run("old.json", "bad.json"), run("old.json", "missing.json")):
        assert bad.returncode == 2
        assert bad.stderr.startswith("error: ")
        assert "Traceback" not in bad.stderr
