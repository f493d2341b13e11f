"""The 35 floats that stand for one frame: 28 of expression and 7 of camera.

HeadGAN, section 3.4: a frame is compressed into expression parameters in R^28 and camera
parameters in R^7.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from shared.detail import Detail

Floats = npt.NDArray[np.float32]

EXPRESSION_SIZE = 28
CAMERA_SIZE = 7
PARAMS_SIZE = EXPRESSION_SIZE + CAMERA_SIZE

# No face a camera can see lies outside these; a peer that sends more is broken or hostile.
EXPRESSION_LIMIT = 16.0
LOG_SCALE_LIMITS = (-6.0, 2.0)
ROTATION_LIMIT = 3.2
TRANSLATION_LIMIT = 4.0


class ParamsError(ValueError):
    """The numbers are not 35 finite values of a face that a camera can see."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A scaled orthographic camera (HeadGAN, appendix A: scale, rotation, translation).

    A model point ``X`` lands at ``exp(log_scale) * R(rotation) @ X + translation``, in units of
    the crop's side: x to the right and y down from the crop's top-left corner, z away from the
    camera.

    Attributes:
        log_scale: natural logarithm of the scale (crop sides per model unit).
        rotation: rotation vector, shape (3,), radians.
        translation: shape (3,), crop sides; the third only orders depth.
    """

    log_scale: float
    rotation: Floats
    translation: Floats

    def to_vector(self) -> Floats:
        """Return the camera as 7 float32: log-scale, rotation, translation."""
        return np.concatenate([[self.log_scale], self.rotation, self.translation]).astype(
            np.float32
        )

    @classmethod
    def from_vector(cls, vector: Floats) -> Camera:
        """Return the camera held by 7 floats."""
        return cls(float(vector[0]), vector[1:4].astype(np.float32), vector[4:7].astype(np.float32))


@dataclass(frozen=True, slots=True)
class Params:
    """Expression and camera of one frame.

    Attributes:
        expression: shape (28,), in units of each basis vector's standard deviation.
        camera: where the head is and how it is turned.
    """

    expression: Floats
    camera: Camera

    def to_vector(self) -> Floats:
        """Return the 35 floats: expression, then camera."""
        return np.concatenate([self.expression.astype(np.float32), self.camera.to_vector()])

    @classmethod
    def from_vector(cls, vector: npt.ArrayLike) -> Params:
        """Return the parameters held by 35 floats.

        Raises:
            ParamsError: wrong count, a value that is not finite, or one out of range.
        """
        values = np.asarray(vector, np.float32)
        if values.shape != (PARAMS_SIZE,):
            raise ParamsError(f"a frame has {PARAMS_SIZE} numbers, not shape {values.shape}")
        if not np.isfinite(values).all():
            raise ParamsError("a frame's numbers must be finite")
        params = cls(values[:EXPRESSION_SIZE].copy(), Camera.from_vector(values[EXPRESSION_SIZE:]))
        params._check_ranges()
        return params

    def _check_ranges(self) -> None:
        camera = self.camera
        if np.abs(self.expression).max() > EXPRESSION_LIMIT:
            raise ParamsError("expression out of range")
        if not LOG_SCALE_LIMITS[0] <= camera.log_scale <= LOG_SCALE_LIMITS[1]:
            raise ParamsError("camera scale out of range")
        if np.abs(camera.rotation).max() > ROTATION_LIMIT:
            raise ParamsError("camera rotation out of range")
        if np.abs(camera.translation).max() > TRANSLATION_LIMIT:
            raise ParamsError("camera translation out of range")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on the wire.

    Attributes:
        sequence: number of the captured frame, counted from 0 at the start of the call; frames
            without a face take a number and are not sent.
        captured_ms: capture time on the sender's call clock, whole milliseconds from its start.
        params: the 35 floats.
        detail: what the picture shows beside them.
    """

    sequence: int
    captured_ms: int
    params: Params
    detail: Detail = field(default_factory=Detail.none)
