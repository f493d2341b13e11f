"""The reference picture moved by the mesh alone: the first flow, without any network."""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from shared.params import Floats

Planes = TypeVar("Planes", bound=npt.NDArray[Any])


def mesh_warp(picture: Planes, displacement: Floats) -> Planes:
    """Return a picture moved by a displacement ("Progressive warping", section 3.2).

    Args:
        picture: the reference, (S, S, 3) or (S, S), uint8 or float32.
        displacement: shape (S, S, 2), where each pixel comes from less where it is, picture
            sides (see `shared.face_image.FaceImage`).
    """
    size = len(picture)
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
    moved = displacement * np.float32(size)
    warped: Planes = cv2.remap(  # type: ignore[assignment]
        picture,
        xs + moved[..., 0],
        ys + moved[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped
