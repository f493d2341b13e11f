"""A one-euro filter on the 35 floats: what trembles stands still, what moves is not held back.

Casiez, Roussel and Vogel, "1€ Filter" (CHI 2012): a low-pass filter whose cut-off rises with
speed. All numbers are filtered in units of the wire's quantiser steps, so that one setting fits
expression and camera alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.params import EXPRESSION_SIZE, Camera, Params
from shared.wire_table import wire_table

# Chosen with `benchmarks.smoothing`: two fifths less tremble on a still face, 13 ms of delay.
STILL_HZ = 1.0  # cut-off of a number that does not move
PER_SPEED = 0.08  # Hz of cut-off for each quantiser step a second
SPEED_HZ = 1.0  # cut-off of the speed itself
GAP_S = 0.5  # after a gap the past says nothing


class OneEuroFilter:
    """Filters one call's frames, in their order."""

    def __init__(
        self,
        steps: npt.NDArray[np.float64] | None = None,
        still_hz: float = STILL_HZ,
        per_speed: float = PER_SPEED,
        speed_hz: float = SPEED_HZ,
    ) -> None:
        """Start a call.

        Args:
            steps: what counts as much in each number, shape (35,); the wire's steps by default.
            still_hz: cut-off of a number that does not move.
            per_speed: Hz of cut-off for each step a second.
            speed_hz: cut-off of the speed itself.
        """
        self._still_hz, self._per_speed, self._speed_hz = still_hz, per_speed, speed_hz
        self._steps = wire_table().steps if steps is None else steps
        self._value: npt.NDArray[np.float64] | None = None
        self._speed = np.zeros_like(self._steps)
        self._captured_s = 0.0

    def apply(self, params: Params, captured_ms: float) -> Params:
        """Return a frame's numbers without their tremble.

        Args:
            params: as fitted.
            captured_ms: capture time, milliseconds.
        """
        value = params.to_vector() / self._steps
        captured_s = captured_ms / 1000
        elapsed = captured_s - self._captured_s
        self._captured_s = captured_s
        if self._value is None or not 0 < elapsed <= GAP_S:
            self._value, self._speed = value, np.zeros_like(value)
            return params
        self._speed += _weight(self._speed_hz, elapsed) * (
            (value - self._value) / elapsed - self._speed
        )
        cutoff = self._still_hz + self._per_speed * np.abs(self._speed)
        self._value = self._value + _weight(cutoff, elapsed) * (value - self._value)
        return _params(self._value * self._steps)


def _params(vector: npt.NDArray[np.float64]) -> Params:
    # Not checked: between two faces that were fitted lies a face.
    values = vector.astype(np.float32)
    return Params(values[:EXPRESSION_SIZE], Camera.from_vector(values[EXPRESSION_SIZE:]))


def _weight(cutoff_hz: npt.ArrayLike, elapsed_s: float) -> npt.NDArray[np.float64]:
    """Return how much of a new value is taken: an exponential filter's share."""
    turned = 2 * np.pi * np.asarray(cutoff_hz, np.float64) * elapsed_s
    return turned / (1 + turned)
