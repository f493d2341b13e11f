"""Contact sheets: rows of pictures in one PNG, to judge a generator by eye."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor


def write_sheet(path: Path, rows: list[list[Tensor]]) -> None:
    """Write rows of pictures, each (3, H, W) in [-1, 1], as one PNG."""
    sheet = np.concatenate(
        [np.concatenate([picture.float().numpy() for picture in row], axis=2) for row in rows],
        axis=1,
    )
    levels = ((sheet.transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
    cv2.imwrite(str(path), cv2.cvtColor(levels, cv2.COLOR_RGB2BGR))
