"""Photographs as training pairs: one photograph, moved with its mesh, is the reference.

The real photograph stays the target, so that the network never learns to paint what a warp
looks like. The motion is a real one, taken from two frames of a clip.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shared.params import EXPRESSION_LIMIT, Camera, Params

# Beyond this a moved photograph shows sides of the head that it does not have.
TURN_LIMIT = 0.4  # radians
SHIFT_LIMIT = 0.12  # crop sides
ZOOM_LIMIT = 0.2  # natural logarithm of the scale


def moved_alike(photo: Params, before: Params, after: Params) -> Params:
    """Return a photograph's 35 floats after the motion that a clip shows between two frames.

    The motion of the camera is bounded, so that most of what the moved photograph shows was seen.

    Args:
        photo: the face in the photograph.
        before: a clip's frame, fitted with its own identity.
        after: another frame of that clip.
    """
    old, new, own = (_matrix(params) for params in (before, after, photo))
    turn = _shortened(np.asarray(cv2.Rodrigues(new @ old.T)[0].ravel(), np.float64), TURN_LIMIT)
    rotation, _ = cv2.Rodrigues(cv2.Rodrigues(turn)[0] @ own)
    shift = after.camera.translation[:2] - before.camera.translation[:2]
    zoom = after.camera.log_scale - before.camera.log_scale
    translation = photo.camera.translation.copy()
    translation[:2] += _shortened(shift, SHIFT_LIMIT)
    camera = Camera(
        photo.camera.log_scale + float(np.clip(zoom, -ZOOM_LIMIT, ZOOM_LIMIT)),
        rotation.ravel().astype(np.float32),
        translation,
    )
    expression = photo.expression + after.expression - before.expression
    return Params(np.clip(expression, -EXPRESSION_LIMIT, EXPRESSION_LIMIT), camera)


def _matrix(params: Params) -> npt.NDArray[np.float64]:
    matrix, _ = cv2.Rodrigues(params.camera.rotation.astype(np.float64))
    return np.asarray(matrix, np.float64)


def _shortened(vector: npt.NDArray[np.floating], limit: float) -> npt.NDArray[np.floating]:
    length = float(np.linalg.norm(vector))
    return vector if length <= limit else vector * (limit / length)
