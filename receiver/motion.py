"""Faces between and beyond the frames that came: what a late or lost frame would have shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shared.detail import Detail
from shared.params import (
    EXPRESSION_LIMIT,
    EXPRESSION_SIZE,
    LOG_SCALE_LIMITS,
    PARAMS_SIZE,
    ROTATION_LIMIT,
    TRANSLATION_LIMIT,
    Frame,
    Params,
)

# Beyond the newest frame a face goes on moving, ever more slowly, and holds after this long: then
# it has all but stopped. Speeds fade by a factor of e in the times below, those of a head more
# slowly than those of a mouth; `benchmarks.guessing` shows that this is nearer to the truth than
# to hold the face at once.
GUESSED_MS = 240.0
CAMERA_FADE_MS = 100.0
EXPRESSION_FADE_MS = 20.0

_LIMITS = np.concatenate(
    [
        np.full(EXPRESSION_SIZE, EXPRESSION_LIMIT),
        [LOG_SCALE_LIMITS[1]],
        np.full(3, ROTATION_LIMIT),
        np.full(3, TRANSLATION_LIMIT),
    ]
).astype(np.float32)
_LOW = np.where(np.arange(len(_LIMITS)) == EXPRESSION_SIZE, LOG_SCALE_LIMITS[0], -_LIMITS)


Fades = npt.NDArray[np.float64]


def fades(camera_ms: float, expression_ms: float) -> Fades:
    """Return in what time the speed of each of the 35 numbers fades, milliseconds."""
    return np.repeat([expression_ms, camera_ms], [EXPRESSION_SIZE, PARAMS_SIZE - EXPRESSION_SIZE])


FADES = fades(CAMERA_FADE_MS, EXPRESSION_FADE_MS)


def between(before: Frame, after: Frame, at_ms: float) -> Params:
    """Return the face at a time between two frames, on the straight line from one to the other.

    Rotation vectors may be mixed so: between neighbouring frames a head turns by little.
    """
    share = (at_ms - before.captured_ms) / max(after.captured_ms - before.captured_ms, 1)
    return _mixed(before.params, after.params, min(max(share, 0.0), 1.0))


def detail_between(before: Frame, after: Frame, at_ms: float) -> Detail:
    """Return the detail at a time between two frames; theirs beside them."""
    share = (at_ms - before.captured_ms) / max(after.captured_ms - before.captured_ms, 1)
    return before.detail.towards(after.detail, min(max(share, 0.0), 1.0))


def beyond(before: Frame, newest: Frame, at_ms: float, fades_ms: Fades = FADES) -> Params:
    """Return the face at a time after the newest frame: on as it moved, ever more slowly.

    Args:
        before: an earlier frame, from which the speed is taken.
        newest: the frame to go on from.
        at_ms: on the clock of capture times.
        fades_ms: shape (35,), in what time the speed of each number fades, above 0.
    """
    ahead_ms = min(max(at_ms - newest.captured_ms, 0.0), GUESSED_MS)
    elapsed_ms = max(newest.captured_ms - before.captured_ms, 1)
    # The way that a speed which fades exponentially makes, in milliseconds at the full speed.
    way_ms = fades_ms * (1.0 - np.exp(-ahead_ms / fades_ms))
    return _mixed(before.params, newest.params, 1.0 + way_ms / elapsed_ms)


def _mixed(one: Params, other: Params, share: float | Fades) -> Params:
    start, end = one.to_vector(), other.to_vector()
    mixed = start + np.asarray(share, np.float32) * (end - start)
    return Params.from_vector(np.clip(mixed, _LOW, _LIMITS))
