"""Contact sheets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from models.contact_sheet import write_sheet


def test_pictures_lie_in_rows(tmp_path: Path) -> None:
    levels = [[[-1.0, 0.0, 1.0], [0.5, -0.5, 0.25]], [[1.0, 1.0, -1.0], [2.0, -3.0, 0.0]]]
    rows = [
        [torch.tensor(colour)[:, None, None].expand(3, 8, 10) for colour in row] for row in levels
    ]
    rows[0][1] = rows[0][1].bfloat16()
    write_sheet(tmp_path / "sheet.png", rows)
    sheet = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_COLOR_RGB)
    assert sheet is not None
    assert sheet.shape == (16, 20, 3)
    for row in range(2):
        for column in range(2):
            tile = sheet[8 * row : 8 * row + 8, 10 * column : 10 * column + 10]
            expected = np.round((np.clip(levels[row][column], -1, 1) + 1) * 127.5)
            assert (tile == expected).all()
