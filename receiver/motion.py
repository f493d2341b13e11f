"""Faces between and beyond the frames that came: what a late or lost frame would have shown."""

from __future__ import annotations

import numpy as np

from shared.params import (
    EXPRESSION_LIMIT,
    EXPRESSION_SIZE,
    LOG_SCALE_LIMITS,
    ROTATION_LIMIT,
    TRANSLATION_LIMIT,
    Frame,
    Params,
)

# Beyond the newest frame a face goes on moving for this long, at this share of its speed: longer
# or faster, a guess is wrong more often than right.
GUESSED_MS = 120.0
GUESSED_SPEED = 0.6

_LIMITS = np.concatenate(
    [
        np.full(EXPRESSION_SIZE, EXPRESSION_LIMIT),
        [LOG_SCALE_LIMITS[1]],
        np.full(3, ROTATION_LIMIT),
        np.full(3, TRANSLATION_LIMIT),
    ]
).astype(np.float32)
_LOW = np.where(np.arange(len(_LIMITS)) == EXPRESSION_SIZE, LOG_SCALE_LIMITS[0], -_LIMITS)


def between(before: Frame, after: Frame, at_ms: float) -> Params:
    """Return the face at a time between two frames, on the straight line from one to the other.

    Rotation vectors may be mixed so: between neighbouring frames a head turns by little.
    """
    share = (at_ms - before.captured_ms) / max(after.captured_ms - before.captured_ms, 1)
    return _mixed(before.params, after.params, min(max(share, 0.0), 1.0))


def beyond(before: Frame, newest: Frame, at_ms: float) -> Params:
    """Return the face at a time after the newest frame: on a little as it moved, then held."""
    ahead_ms = min(max(at_ms - newest.captured_ms, 0.0), GUESSED_MS)
    elapsed_ms = max(newest.captured_ms - before.captured_ms, 1)
    return _mixed(before.params, newest.params, 1 + GUESSED_SPEED * ahead_ms / elapsed_ms)


def _mixed(one: Params, other: Params, share: float) -> Params:
    start, end = one.to_vector(), other.to_vector()
    mixed = start + np.float32(share) * (end - start)
    return Params.from_vector(np.clip(mixed, _LOW, _LIMITS))
