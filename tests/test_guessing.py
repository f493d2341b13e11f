"""The guesses' benchmark on motions made up for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.guessing import LEADS, SETTINGS, errors, measure, report
from benchmarks.sending import Sent
from shared.face_model import FaceModel
from shared.params import Params
from shared.sway import still
from tests.sending import track


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


def clip(model: FaceModel, rolls: np.ndarray) -> list[Sent]:
    """Return the frames of a face that turns as told."""
    start = track(1)[0]
    identity, picture = np.zeros(len(model.identity), np.float32), np.zeros((1, 1, 3), np.uint8)
    sent = []
    for roll in rolls:
        rotation = np.array([0, 0, roll], np.float32)
        params = Params(start.expression, replace(start.camera, rotation=rotation))
        points = model.points(identity, params)
        sent.append(Sent(picture, points, identity, *(4 * [params]), *(2 * [still()]), 0, {}))
    return sent


def test_of_a_face_at_rest_every_guess_is_right(model: FaceModel) -> None:
    sent = clip(model, np.zeros(20))
    for fade in SETTINGS:
        assert errors(sent, model, fade) == pytest.approx(0, abs=1e-4)


def test_a_turning_head_is_guessed_better_than_held(model: FaceModel) -> None:
    turning = clip(model, 0.01 * np.arange(30))
    results = measure([turning], model)
    held, ours = (np.array(results[i]["error_percent"]) for i in (0, 1))
    assert (ours < held).all()
    assert np.array(results[0]["of_holding"]) == pytest.approx(1)
    assert np.array(results[1]["of_holding"]) == pytest.approx(ours / held)
    assert (np.diff(held) > 0).all()


def test_a_head_that_shakes_is_held_better_than_guessed(model: FaceModel) -> None:
    shaking = clip(model, np.random.default_rng(4).normal(0, 0.02, 40))
    results = measure([shaking], model)
    assert np.mean(np.array(results[1]["of_holding"])) > 1


def test_the_table_has_a_column_for_every_lead(model: FaceModel) -> None:
    table = report(measure([clip(model, 0.01 * np.arange(30))], model))
    assert len(table.columns) == 1 + len(LEADS)
    assert table.row_count == len(SETTINGS)
