"""The benchmark of calls over bad networks, as it is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.clips import DEMO_START_S
from benchmarks.emulator import EmulatedLink
from benchmarks.network import table
from benchmarks.profiles import profile
from benchmarks.video import cut
from shared.errors import BadInputError
from tests.test_network_call import CONTRACT

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 6.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.network", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.timeout(300)
def test_a_call_over_a_lossy_link(demo_clip: Path, tmp_path: Path) -> None:
    try:
        EmulatedLink(profile("clean", SECONDS)).close()
    except BadInputError as error:
        pytest.skip(str(error))
    cut(demo_clip, DEMO_START_S, tmp_path / "source.mp4")
    arguments = ["--profile", "loss10", "--seconds", str(SECONDS), "--out", str(tmp_path)]
    done = run(*arguments, "--clip", str(tmp_path / "source.mp4"))
    assert done.returncode == 0, done.stderr
    assert "loss10" in done.stdout
    figures = json.loads((tmp_path / "network.json").read_text("utf-8"))
    assert list(figures)[: len(CONTRACT)] == CONTRACT
    assert figures["failed"] is None
    assert 0 < figures["frames_shown"] <= figures["frames_sent"] <= 25 * SECONDS + 1
    assert 0 < figures["setup_s"] < 60
    assert figures["latency_ms"]["p50"] > 0
    for way in ("up", "down"):
        assert figures["link"][way]["lost_loss"] > 0
    # The link's count and the program's own: what is lost on the way back only the link knows,
    # and the program counts on until the call is closed.
    assert figures["sender_wire_kbps"] == pytest.approx(figures["wire_kbps"], rel=0.3)
    assert (tmp_path / "network.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_is_exit_code_2(tmp_path: Path) -> None:
    for arguments, sentence in (
        (["--profile", "awful"], "no profile awful"),
        (["--profile", "cut20", "--seconds", "10"], "--seconds 24"),
    ):
        done = run(*arguments, "--out", str(tmp_path))
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


def test_the_table_has_a_row_for_each_profile() -> None:
    result = {
        "profile": "clean",
        "frames_sent": 10,
        "frames_shown": 0,
        "shown_fps": 0.0,
        "freeze_ratio": 1.0,
        "latency_ms": {"p50": None, "p95": None, "p99": None},
        "setup_s": None,
        "wire_kbps": 1.0,
        "stale_shown": 0,
        "reconnects": 0,
    }
    rows = table([result, {**result, "setup_s": 1.26, "latency_ms": {"p50": 99.6}}])
    assert rows.row_count == 2
    assert [*rows.columns[5].cells] == ["–/–/–", "100"]
    assert [*rows.columns[6].cells] == ["–", "1.3 s"]
