"""What is wrong with a photograph of a caller, in words."""

from __future__ import annotations

import numpy as np

from shared.lids import OPEN
from shared.openings import openings
from shared.params import Floats, Params

# A turned head hides half of itself, in the identity as in the picture.
FRONTAL_DEGREES = 15.0


def flaws(points: Floats, params: Params) -> list[str]:
    """Return what keeps a face from being rebuilt well from its picture; nothing if all is well.

    Args:
        points: its tracked points, shape (478, 3), pixels or crop sides.
        params: what they were fitted with.
    """
    found = []
    if openings(points[None])[0, :2].min() < OPEN:
        found.append("an eye is closed and will open on a guess")
    pitch, yaw = np.abs(np.rad2deg(params.camera.rotation[:2]))
    if max(pitch, yaw) >= FRONTAL_DEGREES:
        found.append(f"the head is turned by {max(pitch, yaw):.0f} degrees and hides a side")
    return found
