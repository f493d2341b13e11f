"""The sway: how hair, shoulders and what else is beside a face move, where its numbers cannot say.

The face's 35 floats move the face, and an apron around it by guess (`shared.face_image`). What is
left between the key picture so moved and the frame is a smooth field of motion, other for every
person and pose, and a few cosines over the crop hold most of it. The sender measures it
(`shared.sway_meter`), the receiver adds it to the mesh's displacement beside the face.

"Progressive warping" (section 3.2) has its networks guess this part from the displacement; with
the people that we have, a network learns theirs by heart and is wrong on others
(`python -m models.residual`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from shared.detail import SWAY_SIZE, SWAY_WAVES, Floats


def still() -> Floats:
    """Return the sway of what stands still, shape (32,)."""
    return np.zeros(SWAY_SIZE, np.float32)


def sway_field(sway: Floats, size: int) -> Floats:
    """Return a sway's displacement, shape (S, S, 2), crop sides, x then y.

    Args:
        sway: shape (32,): for x and then y, the amplitudes of the cosines, down and then across.
        size: pixels a side.
    """
    waves = cosines(size).astype(np.float32)
    planes = waves @ sway.reshape(2, SWAY_WAVES, SWAY_WAVES) @ waves.T
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


@lru_cache
def cosines(size: int) -> npt.NDArray[np.float64]:
    """Return each cosine at the middle of each pixel of a side, shape (S, 4)."""
    places = (np.arange(size) + 0.5) / size
    return np.cos(np.pi * places[:, None] * np.arange(SWAY_WAVES))
