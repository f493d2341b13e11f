"""A whole call between two real processes, on a real clip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.call import Call, free_port, run_call
from benchmarks.clips import DEMO_START_S
from benchmarks.comparison import Comparison, compare
from benchmarks.video import cut

SECONDS = 5.0


@pytest.fixture(scope="module")
def source(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    passage = tmp_path_factory.mktemp("clip") / "source.mp4"
    cut(demo_clip, DEMO_START_S, passage)
    return passage


@pytest.fixture(scope="module")
def call(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Call:
    return run_call(source, tmp_path_factory.mktemp("call"), SECONDS)


@pytest.fixture(scope="module")
def comparison(source: Path, call: Call) -> Comparison:
    return compare(source, call)


UNDER_WAY = 12  # frames: the last packet's, the one being fitted and those that wait for it


def test_every_captured_frame_is_accounted_for(call: Call) -> None:
    sender = call.sender
    assert sender.frames_without_face == 0
    assert 20 * SECONDS < sender.frames_captured <= 25 * SECONDS + 1
    # A loaded machine drops frames and says how many; none is lost without a word.
    told = sender.frames_sent + sender.frames_still + sender.frames_dropped
    assert told <= sender.frames_captured <= told + UNDER_WAY
    assert sender.frames_sent >= 0.2 * sender.frames_captured


def test_most_frames_are_shown_in_order(call: Call) -> None:
    sequences = [row.sequence for row in call.receiver.frames]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == call.receiver.frames_shown
    # A loaded machine skips frames and must still show the call; speed is for the demo to measure.
    assert call.receiver.frames_shown >= 0.2 * call.sender.frames_sent


def test_the_rate_is_that_of_numbers_not_of_pictures(call: Call) -> None:
    assert 0 < call.sender.payload_kbps < 25 * 20 * 8 / 1000
    assert call.sender.payload_kbps < call.sender.wire_kbps < 64


def test_the_picture_follows_the_face(comparison: Comparison) -> None:
    gain = comparison.mean(lambda score: score.psnr) - comparison.mean(
        lambda score: score.copy_psnr
    )
    assert gain > 0.0
    assert comparison.telling().psnr > comparison.telling().copy_psnr


def test_the_picture_moves(comparison: Comparison) -> None:
    first, last = min(comparison.shown), max(comparison.shown)
    change = comparison.shown[last].astype(int) - comparison.shown[first].astype(int)
    assert abs(change[:256]).mean() > 1.0
    assert comparison.shown[first].shape == (288, 256, 3)
    # The mark below it does not.
    assert abs(change[256:]).max() == 0


def test_the_latency_is_known(call: Call) -> None:
    median = call.receiver.latency_ms.p50
    assert median is not None
    assert 0 < median < 2000


def test_an_unreachable_receiver_is_exit_code_3(source: Path) -> None:
    done = run_sender(f"http://localhost:{free_port()}", "--source", str(source))
    assert done.returncode == 3
    assert "nobody listens" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_clip_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    url = f"http://localhost:{free_port()}"
    done = run_sender(url, "--source", str(tmp_path / "no-such-clip.mp4"))
    assert done.returncode == 2
    assert "no-such-clip.mp4" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def run_sender(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from sender.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
