"""A filter on the 35 floats: the gate of `shared.gate`, and eyes and mouth that follow at once.

All numbers are in units of the wire's quantiser steps, so that one setting fits expression and
camera alike. A blink moves many numbers a little, each by less than tremble might. What it does
together is plain, so how far eyes and mouth are open is looked at by itself and follows the
tracker.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.face_model import FaceModel
from shared.gate import MOVED_STEPS, STILL_SHARE, Gate
from shared.openings import openings_by_expression
from shared.params import EXPRESSION_SIZE, Camera, Params
from shared.wire_table import wire_table

Array = npt.NDArray[np.float64]

OPENING = 0.004  # eyes and mouth follow the tracker to within this, opening widths


class GatedFilter:
    """Filters one call's frames, in their order."""

    def __init__(
        self,
        model: FaceModel,
        steps: Array | None = None,
        still_share: float = STILL_SHARE,
        moved_steps: float = MOVED_STEPS,
        opening: float = OPENING,
    ) -> None:
        """Start a call.

        Args:
            model: says what opens eyes and mouth.
            steps: what counts as much in each number, shape (35,); the wire's steps by default.
            still_share: of the new value, where it is what is shown.
            moved_steps: how far a number must lie from what is shown to be half followed.
            opening: how far eyes and mouth may stay behind, opening widths.
        """
        self._gate = Gate(still_share, moved_steps)
        self._opening = opening
        self._steps = wire_table().steps if steps is None else steps
        # Openings by number, and the least change in steps that opens each by one width.
        self._opens = openings_by_expression(model) * self._steps[:EXPRESSION_SIZE]
        self._opened_by = np.linalg.pinv(self._opens)

    def apply(self, params: Params, captured_ms: float) -> Params:
        """Return a frame's numbers without their tremble.

        Args:
            params: as fitted.
            captured_ms: capture time, milliseconds.
        """
        value = params.to_vector() / self._steps
        shown = self._gate.apply(value, captured_ms)
        if shown is value:
            return params
        shown[:EXPRESSION_SIZE] += self._opened(value - shown)
        return _params(shown * self._steps)

    def _opened(self, error: Array) -> Array:
        """Return what brings eyes and mouth to the opening that was tracked, shape (28,)."""
        missing = self._opens @ error[:EXPRESSION_SIZE]
        beyond = np.sign(missing) * np.maximum(np.abs(missing) - self._opening, 0)
        return np.asarray(self._opened_by @ beyond, np.float64)


def _params(vector: Array) -> Params:
    # Not checked: between two faces that were fitted lies a face.
    values = vector.astype(np.float32)
    return Params(values[:EXPRESSION_SIZE], Camera.from_vector(values[EXPRESSION_SIZE:]))
