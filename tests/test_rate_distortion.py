"""The command: one clip through everything, from the files it leaves to its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import rate_distortion
from benchmarks.clips import DEMO_START_S
from benchmarks.identity import FILES
from benchmarks.packaged import is_kept
from benchmarks.rate_distortion import known, main
from benchmarks.scores import SQUEEZENET
from benchmarks.video import cut, read_frames
from shared.errors import BadInputError
from shared.metrics import psnr
from tests.moving import networkless

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "packages"
FRAMES = 20
FIELDS = {
    "clip", "codec", "setting", "frames", "fps", "payload_kbps", "wire_kbps", "reference_bytes",
    "psnr", "ssim", "perceptual",
}  # fmt: skip


@pytest.fixture(scope="module")
def clips(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    cut(demo_clip, DEMO_START_S, folder / "face.mp4", 1.0)
    return folder


@pytest.fixture(scope="module", autouse=True)
def judges() -> Iterator[None]:
    """Judge with the networks where they are kept; a test fetches no 105 MB."""
    with pytest.MonkeyPatch.context() as patch:
        if not all(is_kept(file, KEPT) for file in (*FILES, SQUEEZENET)):
            patch.setattr(rate_distortion, "Networks", lambda _: networkless())
        yield


@pytest.fixture(scope="module")
def out(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "rd"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rate_distortion, "CALL_S", 3.0)
        main(clips, folder, FRAMES, "headcall,x264-veryfast,libaom-av1", KEPT)
    return folder


@pytest.fixture(scope="module")
def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "rate_distortion.json").read_text())
    return found


@pytest.mark.timeout(600)
def test_ours_and_a_codec_are_measured(results: dict[str, Any]) -> None:
    points = results["points"]
    assert all(point.keys() >= FIELDS for point in points)
    ours = {p["setting"]: p for p in points if p["codec"] == "headcall-lite"}
    assert ours.keys() == {"low", "normal", "economy"}
    theirs = [p for p in points if p["codec"] == "x264-veryfast"]
    assert theirs
    for point in points:
        assert (point["clip"], point["frames"]) == ("face", FRAMES)
        assert 0 < point["payload_kbps"] < point["wire_kbps"]
        assert 10 < point["psnr"] < 50
    assert ours["economy"]["wire_kbps"] < ours["low"]["wire_kbps"]
    # The photograph costs much more than an I-frame of the coarsest kind.
    assert ours["normal"]["reference_bytes"] > theirs[0]["reference_bytes"] > 0


def test_the_contracts_other_fields_are_there(results: dict[str, Any]) -> None:
    baselines = results["baselines"]["face"]
    copy, warped = baselines["copy_psnr"], baselines["mesh_warp_psnr"]
    assert 10 < copy < 40
    assert 10 < warped < 40
    assert set(results["summary"]) == {"headcall-lite", "x264-veryfast"}
    assert results["summary"]["x264-veryfast"]["floor"]["wire_kbps"] > 10
    assert "no libaom-av1" in results["about"]["left_out"]["libaom-av1"]


def test_everything_is_written(out: Path, results: dict[str, Any]) -> None:
    assert (out / "rate_distortion.png").read_bytes().startswith(b"\x89PNG")
    assert "</html>" in (out / "report.html").read_text()
    frames = json.loads((out / "rate_distortion_frames.json").read_text())
    for point in results["points"]:
        own = frames[f"face/{point['codec']}/{point['setting']}"]
        assert len(own["psnr"]) == FRAMES - 1
        assert np.mean(own["psnr"]) == pytest.approx(point["psnr"], abs=0.001)


def test_the_frames_are_left_to_repeat_it(out: Path, results: dict[str, Any]) -> None:
    pictures = list(read_frames(out / "frames" / "face.mkv"))
    assert len(pictures) == FRAMES
    assert pictures[0].shape == (256, 256, 3)
    # The copy's PSNR, but for what the photograph's coding loses.
    copy = np.mean([psnr(picture, pictures[0]) for picture in pictures[1:]])
    assert copy == pytest.approx(results["baselines"]["face"]["copy_psnr"], abs=0.5)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.rate_distortion", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_unknown_codec_ends_in_a_sentence_that_lists_the_known(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    done = run(str(tmp_path), "--codecs", "x264-veryfast,divx", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "there is no codec 'divx'" in told
    for name in known():
        assert name in told
    assert "Traceback" not in done.stderr


def test_a_folder_without_clips_ends_in_a_sentence(tmp_path: Path) -> None:
    done = run(str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "holds no clips" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_clip_that_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(BadInputError, match=r"broken\.mp4 cannot be read as a video"):
        main(tmp_path, tmp_path / "out", FRAMES, "x264", KEPT)


def test_a_codec_that_this_machine_lacks_is_refused_alone(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nothing is left to measure of libaom-av1"):
        main(clips, tmp_path / "out", FRAMES, "libaom-av1", KEPT)
