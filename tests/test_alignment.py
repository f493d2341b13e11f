"""The alignment's benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.alignment import COLUMNS, difference, face_psnr, main


def test_only_the_face_counts() -> None:
    original = np.full((4, 4, 3), 100, np.uint8)
    other, face = original.copy(), np.zeros((4, 4), bool)
    other[0], face[1] = 0, True
    assert face_psnr(original, other, face) > 100
    other[1] += 16
    assert face_psnr(original, other, face) == pytest.approx(20 * np.log10(255 / 16))


def test_grey_is_no_difference() -> None:
    original = np.array([[[10, 20, 250]]], np.uint8)
    other = np.array([[[10, 30, 0]]], np.uint8)
    assert difference(original, other).tolist() == [[[128, 158, 0]]]


def test_a_clip_s_aligned_fit_is_nearer(demo_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / demo_clip.name).symlink_to(demo_clip)
    main(tmp_path / "clips", tmp_path, 30)
    result = json.loads((tmp_path / "alignment.json").read_text())
    (clip,) = result["clips"]
    assert clip.keys() == {"clip", *COLUMNS}
    assert clip["aligned_face_psnr"] > clip["tracked_face_psnr"]
    assert result["mean"]["aligned_psnr"] == clip["aligned_psnr"]
    sheet = cv2.imread(str(tmp_path / "alignment.png"))
    assert sheet is not None
    assert sheet.shape[1] >= 3 * 256
