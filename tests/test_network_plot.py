from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.network_plot import draw
from benchmarks.profiles import profile
from benchmarks.relay import Traffic
from tests.test_network_call import END_MS, FIRST_MS, call_of, even, passage

FREEZE_BGR = np.array([0xA6, 0xB6, 0xF4])


def picture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def is_freeze_marked(path: Path) -> bool:
    return bool((np.abs(picture(path).astype(int) - FREEZE_BGR).max(axis=2) < 3).sum() > 100)


def test_freezes_are_marked(tmp_path: Path) -> None:
    passages = [passage(moment, 100) for moment in np.arange(FIRST_MS, END_MS, 100)]
    smooth = call_of(even(), passages)
    frozen = call_of([row for row in even() if not 3000 < row[0] < 6000], passages)
    for name, call in (("smooth", smooth), ("frozen", frozen)):
        draw(tmp_path / f"{name}.png", [call])
    assert not is_freeze_marked(tmp_path / "smooth.png")
    assert is_freeze_marked(tmp_path / "frozen.png")


@pytest.mark.parametrize("count", [1, 3])
def test_calls_without_a_picture_can_be_drawn(tmp_path: Path, count: int) -> None:
    call = replace(call_of(even()), receiver=None, failure="nobody answers")
    nothing = replace(call, sender=None, traffic=Traffic(None, []), profile=profile("cut5", 10))
    draw(tmp_path / "none.png", [nothing, call, nothing][:count])
    assert picture(tmp_path / "none.png").shape[0] > 200 * count
