"""Clips as they are measured: from the first face on, at 25 frames a second at most."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips import DEMO_START_S
from benchmarks.comparison import _originals
from benchmarks.material import load
from benchmarks.video import cut, read_frames, write_lossless
from shared.errors import BadInputError
from tests.faces import face_model
from tests.moving import moving_pictures


def test_a_clip_is_read_as_the_sender_reads_it(demo_clip: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    cut(demo_clip, DEMO_START_S, clip, 1.0)
    found = load(clip, face_model(), 10)
    assert len(found.pictures) == len(found.points) == 10
    assert [frame.sequence for frame in found.frames] == list(range(10))
    assert float(found.fps) == pytest.approx(23.976, abs=0.01)
    assert found.seconds == pytest.approx(10 / 23.976, abs=0.001)
    assert found.name == "clip"
    originals, _ = _originals(clip, found.crop, 10)
    np.testing.assert_array_equal(found.pictures[7], originals[7])


def test_faster_clips_are_thinned_out_to_25(demo_clip: Path, tmp_path: Path) -> None:
    fast = tmp_path / "fast.mkv"
    pictures = list(read_frames(demo_clip))[-40:]
    write_lossless(fast, pictures, Fraction(30))
    found = load(fast, face_model(), 100)
    assert float(found.fps) == pytest.approx(25, abs=0.5)
    assert len(found.pictures) == pytest.approx(40 * 25 / 30, abs=1)


def test_what_comes_before_the_first_face_is_left_out(demo_clip: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    pictures = list(read_frames(demo_clip))[-10:]
    write_lossless(late, [np.zeros_like(pictures[0])] * 5 + pictures, Fraction(25))
    found = load(late, face_model(), 100)
    assert found.start_s == pytest.approx(0.2, abs=0.002)
    assert len(found.pictures) == 10
    assert found.frames[0].sequence == 0


def test_a_clip_without_a_face_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "empty.mkv"
    write_lossless(clip, moving_pictures(4), Fraction(25))
    with pytest.raises(BadInputError, match="leave it out"):
        load(clip, face_model(), 4)


def test_lossless_files_give_every_bit_back(tmp_path: Path) -> None:
    pictures = moving_pictures(3)
    write_lossless(tmp_path / "a.mkv", pictures, Fraction(25))
    for kept, picture in zip(read_frames(tmp_path / "a.mkv"), pictures, strict=True):
        np.testing.assert_array_equal(kept, picture)
