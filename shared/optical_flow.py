"""Optical flow between small grey pictures ("Fast optical flow using dense inverse search").

Kroeger et al., ECCV 2016, as OpenCV has it; what `shared.aligner` and `shared.sway_meter` look at.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shared.params import Floats
from shared.pictures import Image

Grey = npt.NDArray[np.uint8]

SIDE = 128  # pixels of the pictures compared: 256 brought nothing more and took longer


def grey(picture: Image) -> Grey:
    """Return a crop as it is compared, uint8 (128, 128)."""
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def flow(frame: Grey, moved: Grey) -> Floats:
    """Return where each pixel of a frame lies in another picture, less where it is.

    Returns:
        Shape (S, S, 2), picture sides, x then y.
    """
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    pixels = np.asarray(dense.calc(frame, moved, None), np.float32)  # type: ignore[call-overload]
    return pixels / np.float32(len(frame))
