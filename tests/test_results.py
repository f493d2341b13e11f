"""The stamp of a result, and what is kept of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from benchmarks import results
from benchmarks.results import command_line, hardware, keep, read_result, stamp, write_result
from shared.errors import BadInputError

ROOT = Path(__file__).resolve().parent.parent


def test_the_stamp_says_where_when_and_with_what() -> None:
    found = stamp("speed")
    assert found["benchmark"] == "speed"
    assert found["date"].endswith("+00:00")
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["onnxruntime"] == onnxruntime.__version__
    assert {"python", "mediapipe", "aiortc", "av"} <= found["versions"].keys()
    machine = found["machine"]
    assert machine["cores"] == len(os.sched_getaffinity(0))
    total_kb = int(Path("/proc/meminfo").read_text().split()[1])
    assert machine["memory_gb"] == pytest.approx(total_kb / 2**20, rel=0.05)
    assert machine["cpu"]
    json.dumps(found)


def test_the_stamp_knows_the_commit_and_whether_the_tree_is_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*command: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *who, *command], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    module = tmp_path / "benchmarks" / "results.py"
    module.parent.mkdir()
    module.write_text("")
    monkeypatch.setattr(results, "__file__", str(module))
    assert stamp("x")["commit"] is None
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    assert stamp("x")["commit"] == git("rev-parse", "HEAD")
    kept = module.with_suffix("")
    kept.mkdir()
    (kept / "a.json").write_text("{}")
    assert stamp("x")["dirty"] is False, "a kept result changes nothing that is measured"
    (tmp_path / "new.py").write_text("")
    assert stamp("x")["dirty"] is True


def test_a_gpu_is_named_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hardware()["gpu"] is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100'\necho 'NVIDIA L4'\n")
    tool.chmod(0o755)
    assert hardware()["gpu"] == "NVIDIA H100, NVIDIA L4"
    assert results.machine().endswith("cores, NVIDIA H100, NVIDIA L4")


def test_a_command_line_holds_no_paths_of_this_machine(tmp_path: Path) -> None:
    inside = Path.cwd() / "build"
    said = command_line(["x", str(tmp_path / "clips"), f"--out={inside}", "--seconds", "3", "a b"])
    assert said.endswith(" .../clips --out=build --seconds 3 'a b'")
    assert str(tmp_path) not in said


def test_every_result_is_stamped_and_its_own_keys_stay(tmp_path: Path) -> None:
    write_result(tmp_path / "fit.json", {"clips": [1], "mean": {"x": 2.5}})
    read = read_result(tmp_path / "fit.json")
    assert read.pop("run")["benchmark"] == "fit"
    assert read == {"clips": [1], "mean": {"x": 2.5}}


def test_what_is_kept_is_small_and_named_after_benchmark_machine_and_date(tmp_path: Path) -> None:
    frames = list(range(500))
    points = [{"clip": f"c{n}", "psnr": n, "psnr_frames": frames} for n in range(100)]
    rows = [{"sequence": n, "shown_ms": n * 40.0} for n in range(500)]
    write_result(tmp_path / "rate.json", {"points": points, "rows": rows, "fps_each": [1, 2, 3]})
    kept = keep(tmp_path / "rate.json", tmp_path / "kept")
    result = read_result(kept)
    assert result["points"] == [{"clip": f"c{n}", "psnr": n} for n in range(100)]
    assert result["fps_each"] == [1, 2, 3]
    assert "rows" not in result
    assert result["run"]["left_out"] == ["psnr_frames", "rows"]
    cores = f"{result['run']['machine']['cores']}-cores"
    assert kept.name.startswith("rate-")
    assert cores in kept.name
    assert kept.stem.endswith(result["run"]["date"][:16].replace(":", ""))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds no benchmark's result"),
        ('{"a": 1}', "does not say what it was measured on"),
        ('{"run": {"date": "2026-01-01"}}', "stamp that is not whole"),
        ('{"run": {"date": "soon", "machine": {}}}', "stamp that is not whole"),
    ],
)
def test_what_is_no_result_is_bad_input(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=sentence):
        keep(path, tmp_path)


def test_the_command_keeps_and_complains(tmp_path: Path) -> None:
    write_result(tmp_path / "fit.json", {"a": 1})

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "benchmarks.results", str(tmp_path / name)]
        return subprocess.run(
            [*command, "--folder", str(tmp_path / "kept")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert run("fit.json").returncode == 0
    assert len(list((tmp_path / "kept").glob("fit-*.json"))) == 1
    missing = run("none.json")
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr
    assert "Traceback" not in missing.stderr
