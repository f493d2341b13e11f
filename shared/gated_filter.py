"""A filter on the 35 floats: what trembles stands still, what moves is not held back.

An exponential filter per number whose share of the new value depends on how far that lies from
what is shown: little within the tracker's tremble, nearly all of it beyond. A one-euro filter
(Casiez, Roussel and Vogel, CHI 2012), which asks how fast a number has been lately, is late for
what begins suddenly, and blinks and syllables are over before it has noticed. All numbers are in
units of the wire's quantiser steps, so that one setting fits expression and camera alike.

A blink moves many numbers a little, each by less than tremble might. What it does together is
plain, so how far eyes and mouth are open is looked at by itself and follows the tracker.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.face_model import FaceModel
from shared.openings import openings_by_expression
from shared.params import EXPRESSION_SIZE, Camera, Params
from shared.wire_table import wire_table

Array = npt.NDArray[np.float64]

# Chosen on the training clips; `benchmarks.smoothing` prints what they take, leave and cost.
STILL_SHARE = 0.15  # of the new value, where it is what is shown
MOVED_STEPS = 5.0  # this far from what is shown, a number is halfway to being followed at once
STEEPNESS = 3.0
OPENING = 0.01  # eyes and mouth follow the tracker to within this, opening widths
FRAME_MS = 40.0  # what the share is for; longer frames take more
GAP_MS = 500.0  # after a gap the past says nothing


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
        self._still_share, self._moved_steps = still_share, moved_steps
        self._opening = opening
        self._steps = wire_table().steps if steps is None else steps
        # Openings by number, and the least change in steps that opens each by one width.
        self._opens = openings_by_expression(model) * self._steps[:EXPRESSION_SIZE]
        self._opened_by = np.linalg.pinv(self._opens)
        self._shown: Array | None = None
        self._captured_ms = 0.0

    def apply(self, params: Params, captured_ms: float) -> Params:
        """Return a frame's numbers without their tremble.

        Args:
            params: as fitted.
            captured_ms: capture time, milliseconds.
        """
        value = params.to_vector() / self._steps
        elapsed_ms, self._captured_ms = captured_ms - self._captured_ms, captured_ms
        if self._shown is None or not 0 < elapsed_ms <= GAP_MS:
            self._shown = value
            return params
        shown = self._shown + self._share(value - self._shown, elapsed_ms) * (value - self._shown)
        shown[:EXPRESSION_SIZE] += self._opened(value - shown)
        self._shown = shown
        return _params(shown * self._steps)

    def _share(self, error: Array, elapsed_ms: float) -> Array:
        """Return how much of each number's error is followed in this frame."""
        far = (np.abs(error) / self._moved_steps) ** STEEPNESS
        held_back = (1 - self._still_share) / (1 + far)
        return np.asarray(1 - held_back ** (elapsed_ms / FRAME_MS), np.float64)

    def _opened(self, error: Array) -> Array:
        """Return what brings eyes and mouth to the opening that was tracked, shape (28,)."""
        missing = self._opens @ error[:EXPRESSION_SIZE]
        beyond = np.sign(missing) * np.maximum(np.abs(missing) - self._opening, 0)
        return np.asarray(self._opened_by @ beyond, np.float64)


def _params(vector: Array) -> Params:
    # Not checked: between two faces that were fitted lies a face.
    values = vector.astype(np.float32)
    return Params(values[:EXPRESSION_SIZE], Camera.from_vector(values[EXPRESSION_SIZE:]))
