"""The reference picture moved by the mesh alone: the first flow, without any network."""

from __future__ import annotations

import cv2
import numpy as np

from shared.params import Floats
from shared.pictures import Image


def mesh_warp(picture: Image, displacement: Floats) -> Image:
    """Return a picture moved by a displacement ("Progressive warping", section 3.2).

    Args:
        picture: the reference, RGB uint8 (S, S, 3), or a mask, (S, S).
        displacement: shape (S, S, 2), where each pixel comes from less where it is, picture
            sides (see `shared.face_image.FaceImage`).
    """
    size = len(picture)
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
    moved = displacement * np.float32(size)
    return np.asarray(
        cv2.remap(
            picture,
            xs + moved[..., 0],
            ys + moved[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
