"""The speed benchmark's figures and its command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.results import read_result
from benchmarks.speed import ORDER, report, run, send_times, summarise
from benchmarks.stages import ROUNDS, Combination
from receiver import config

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = {"stages", "receiver_fps", "sender_fps", "machine", "engine", "preset"}
STAGES = {"track", "fit", "encode", "decode", "render", "generate", "total"}


def combination() -> Combination:
    times = dict.fromkeys(STAGES - {"total"}, 2.0) | {"generate": 16.0, "total": 26.0}
    return Combination("auto", "lite", "an engine", [[times, times], [times]], [40.0, 50.0])


def test_rates_follow_from_the_medians() -> None:
    found = summarise(combination(), [[0.5, 0.5], [0.7]])
    assert found["receiver_fps"] == pytest.approx(45)
    assert found["sender_fps"] == pytest.approx(1000 / 6)
    assert found["receiver_fps_each"] == [40, 50]
    assert found["frames"] == 3
    assert list(found["stages"]) == list(ORDER)
    assert found["stages"]["send"]["median_ms"] == 0.5
    assert found["stages"]["total"]["median_ms"] == 26.0


def test_packets_are_sent_in_as_many_rounds() -> None:
    times = send_times([bytes(12)] * 20)
    assert len(times) == ROUNDS
    assert sum(map(len, times)) == 20


def test_engines_stand_side_by_side(demo_clip: Path, tmp_path: Path) -> None:
    pair = [Combination("auto", "lite"), Combination("onnxruntime", "lite")]
    ticks = []
    result = run(demo_clip, tmp_path, pair, 0.1, 0.0, lambda: ticks.append(1))
    assert result.keys() >= CONTRACT
    assert result["stages"].keys() == STAGES | {"send"}
    for stage in result["stages"].values():
        assert 0 < stage["median_ms"] <= stage["p95_ms"]
    assert [one["engine"] for one in result["runs"]] == ["auto", "onnxruntime"]
    assert result["runs"][0]["stages"] == result["stages"]
    assert len(ticks) == 2 * (ROUNDS + 1)
    assert len(report(result).columns) == 3


def test_the_command(demo_clip: Path, tmp_path: Path) -> None:
    def command(*options: str) -> subprocess.CompletedProcess[str]:
        base = [sys.executable, "-m", "benchmarks.speed", "--out", str(tmp_path)]
        return subprocess.run(
            [*base, "--clip", str(demo_clip), *options],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = command("--seconds", "0.2", "--call-seconds", "0")
    assert done.returncode == 0, done.stderr
    result = read_result(tmp_path / "speed.json")
    assert result.keys() >= CONTRACT | {"run", "runs"}
    assert result["preset"] == config.receiver_settings().preset
    assert (tmp_path / "speed.png").stat().st_size > 1000
    bad = command("--call-seconds", "1")
    assert bad.returncode == 2
    assert "Traceback" not in bad.stderr
