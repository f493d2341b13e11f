"""The quality benchmark's figures, as people and programs read them."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.judging import Rebuilt
from benchmarks.quality import COLUMNS, main, mean_of, row, table
from shared.errors import BadInputError


def figures(value: float, **other: float) -> dict[str, float]:
    return dict.fromkeys(COLUMNS, value) | other


def test_the_mean_leaves_out_what_a_clip_has_not() -> None:
    mean = mean_of([figures(1), figures(3, identity=math.nan)])
    assert mean["psnr"] == 2
    assert mean["identity"] == 1
    assert math.isnan(mean_of([figures(1, identity=math.nan)])["identity"])


def test_the_table_has_a_line_for_each_figure() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(table(["a", "b"], [figures(1), figures(3)]))
    lines = out.getvalue().splitlines()
    for column in COLUMNS:
        assert any(column in line for line in lines)
    assert next(line for line in lines if " psnr " in line).count("2.00") == 1


def test_a_row_shows_four_pictures() -> None:
    pictures = [np.full((256, 256, 3), level, np.uint8) for level in (10, 60, 110, 160, 210)]
    drawn = row(Rebuilt(*pictures, np.zeros((478, 3), np.float32), 31.4), "clip, median")
    assert drawn.shape == (320, 4 * 256, 3)
    # The order of the constructor is original, reference, warped, rebuilt, grafted.
    assert [int(drawn[160, 128 + 256 * i, 0]) for i in range(4)] == [60, 10, 110, 160]


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds no clips"):
        main(tmp_path, tmp_path / "out")
