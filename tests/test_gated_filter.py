"""The sender's filter: calm where nothing moves, quick where something does."""

from __future__ import annotations

import numpy as np
import pytest

from shared.face_model import FaceModel
from shared.gate import GAP_MS
from shared.gated_filter import OPENING, GatedFilter
from shared.openings import openings_by_expression
from shared.params import Camera, Params
from shared.wire_table import wire_table
from tests.faces import neutral

FRAME_MS = 40
MODEL = FaceModel.load()


def moved(steps: float | np.ndarray) -> Params:
    """Return a face of which every number is some quantiser steps from its neutral value."""
    vector = (neutral().to_vector() + steps * wire_table().steps).astype(np.float32)
    return Params(vector[:28], Camera.from_vector(vector[28:]))


def steps_of(params: Params) -> np.ndarray:
    return (params.to_vector() - neutral().to_vector()) / wire_table().steps


def run(values: list[float], frame_ms: float = FRAME_MS) -> list[float]:
    """Return the camera's part of the filter's answer: no opening of eyes or mouth moves it."""
    gated = GatedFilter(MODEL)
    shown = [gated.apply(moved(v), n * frame_ms) for n, v in enumerate(values)]
    return [float(steps_of(params)[28:].mean()) for params in shown]


def test_the_first_frame_passes_unchanged() -> None:
    params = moved(3)
    assert GatedFilter(MODEL).apply(params, 1234.5) is params


def test_a_face_that_stands_still_stands_still() -> None:
    assert run([2.0] * 10) == pytest.approx([2.0] * 10, abs=1e-3)


def test_tremble_is_taken_away() -> None:
    values = list(np.random.default_rng(0).normal(0, 1, 200))
    assert np.abs(np.diff(run(values))).mean() < 0.4 * np.abs(np.diff(values)).mean()


def test_what_moves_at_once_is_followed_at_once() -> None:
    assert run([0.0] * 5 + [20.0])[-1] > 19


def test_a_fast_move_is_followed_within_a_frame() -> None:
    ramp = [0.0] * 5 + [5.0 * n for n in range(10)]
    assert ramp[-1] - run(ramp)[-1] < 5.0


def test_it_comes_to_rest_where_the_face_does() -> None:
    assert run([0.0] * 3 + [10.0] * 25)[-1] == pytest.approx(10, abs=0.5)


def test_twice_the_frames_are_held_back_alike() -> None:
    slow, fast = run([0.0] + [3.0] * 5), run([0.0] + [3.0] * 10, FRAME_MS / 2)
    assert fast[-1] == pytest.approx(slow[-1], abs=0.1)


def test_a_blink_passes_though_each_number_moves_less_than_tremble_may() -> None:
    opens = openings_by_expression(MODEL) * wire_table().steps[:28]
    blink = np.zeros(35)
    blink[:28] = np.linalg.pinv(opens) @ [-0.1, -0.1, 0]
    assert np.abs(blink).max() < 5
    gated = GatedFilter(MODEL)
    for number in range(5):
        gated.apply(moved(0), number * FRAME_MS)
    shown = opens @ steps_of(gated.apply(moved(blink), 5 * FRAME_MS))[:28]
    assert shown == pytest.approx([-0.1, -0.1, 0], abs=OPENING + 1e-4)
    without = GatedFilter(MODEL, opening=1.0)
    without.apply(moved(0), 0)
    assert (opens @ steps_of(without.apply(moved(blink), FRAME_MS))[:28])[0] > -0.08


@pytest.mark.parametrize("captured_ms", [40 + GAP_MS + 1, 40, 0])
def test_after_a_gap_or_a_clock_set_back_it_starts_afresh(captured_ms: float) -> None:
    gated = GatedFilter(MODEL)
    gated.apply(moved(0), 0)
    gated.apply(moved(0), 40)
    assert steps_of(gated.apply(moved(3), captured_ms)) == pytest.approx(np.full(35, 3), abs=0.01)
