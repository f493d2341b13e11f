"""The sender's filter: calm where nothing moves, quick where something does."""

from __future__ import annotations

import numpy as np
import pytest

from shared.one_euro import GAP_S, OneEuroFilter
from shared.params import Camera, Params
from shared.wire_table import wire_table
from tests.faces import neutral

FRAME_MS = 40


def moved(steps: float) -> Params:
    """Return a face of which every number is some quantiser steps from its neutral value."""
    vector = (neutral().to_vector() + steps * wire_table().steps).astype(np.float32)
    return Params(vector[:28], Camera.from_vector(vector[28:]))


def steps_of(params: Params) -> float:
    return float(((params.to_vector() - neutral().to_vector()) / wire_table().steps).mean())


def run(values: list[float]) -> list[float]:
    one_euro = OneEuroFilter()
    return [steps_of(one_euro.apply(moved(v), n * FRAME_MS)) for n, v in enumerate(values)]


def test_the_first_frame_passes_unchanged() -> None:
    params = moved(3)
    assert OneEuroFilter().apply(params, 1234.5) is params


def test_a_face_that_stands_still_stands_still() -> None:
    assert run([2.0] * 10) == pytest.approx([2.0] * 10, abs=1e-3)


def test_tremble_is_taken_away() -> None:
    values = list(np.random.default_rng(0).normal(0, 1, 200))
    assert np.abs(np.diff(run(values))).mean() < 0.7 * np.abs(np.diff(values)).mean()


def test_a_fast_move_is_followed_within_a_frame() -> None:
    ramp = [0.0] * 5 + [5.0 * n for n in range(10)]
    assert ramp[-1] - run(ramp)[-1] < 5.0


def test_it_comes_to_rest_where_the_face_does() -> None:
    assert run([0.0] * 3 + [10.0] * 25)[-1] == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("captured_ms", [40 + 1000 * GAP_S + 1, 40, 0])
def test_after_a_gap_or_a_clock_set_back_it_starts_afresh(captured_ms: float) -> None:
    one_euro = OneEuroFilter()
    one_euro.apply(moved(0), 0)
    one_euro.apply(moved(0), 40)
    assert steps_of(one_euro.apply(moved(9), captured_ms)) == pytest.approx(9, abs=0.01)
