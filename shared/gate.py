"""A gate on numbers that tremble: what stands still stays, what moves is not held back.

An exponential filter per number whose share of the new value depends on how far that lies from
what is shown: little within the tremble, nearly all of it beyond. A one-euro filter (Casiez,
Roussel and Vogel, CHI 2012), which asks how fast a number has been lately, is late for what begins
suddenly, and blinks and syllables are over before it has noticed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Chosen on the training clips; `benchmarks.smoothing` prints what they take, leave and cost.
STILL_SHARE = 0.15  # of the new value, where it is what is shown
MOVED_STEPS = 5.0  # this far from what is shown, a number is halfway to being followed at once
STEEPNESS = 3.0
FRAME_MS = 40.0  # what the share is for; longer frames take more
GAP_MS = 500.0  # after a gap the past says nothing


class Gate:
    """Filters one call's numbers, frame by frame, in units of the wire's quantiser steps.

    Attributes:
        shown: what is shown now; None before the first frame.
    """

    def __init__(self, still_share: float = STILL_SHARE, moved_steps: float = MOVED_STEPS) -> None:
        """Start a call.

        Args:
            still_share: of the new value, where it is what is shown.
            moved_steps: how far a number must lie from what is shown to be half followed.
        """
        self.shown: Array | None = None
        self._still_share, self._moved_steps = still_share, moved_steps
        self._captured_ms = 0.0

    def apply(self, values: Array, captured_ms: float) -> Array:
        """Return a frame's numbers without their tremble.

        Args:
            values: as measured, quantiser steps.
            captured_ms: capture time, milliseconds.
        """
        elapsed_ms, self._captured_ms = captured_ms - self._captured_ms, captured_ms
        if self.shown is None or not 0 < elapsed_ms <= GAP_MS:
            self.shown = values
        else:
            error = values - self.shown
            self.shown = self.shown + self._share(error, elapsed_ms) * error
        return self.shown

    def _share(self, error: Array, elapsed_ms: float) -> Array:
        """Return how much of each number's error is followed in this frame."""
        far = (np.abs(error) / self._moved_steps) ** STEEPNESS
        held_back = (1 - self._still_share) / (1 + far)
        return np.asarray(1 - held_back ** (elapsed_ms / FRAME_MS), np.float64)
