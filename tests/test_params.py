"""The 35 floats: their order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from shared.params import (
    CAMERA_SIZE,
    EXPRESSION_LIMIT,
    EXPRESSION_SIZE,
    LOG_SCALE_LIMITS,
    PARAMS_SIZE,
    ROTATION_LIMIT,
    TRANSLATION_LIMIT,
    Camera,
    Params,
    ParamsError,
)

GOOD = np.concatenate(
    [np.linspace(-3, 3, EXPRESSION_SIZE), [-1.5, 0.1, 0.2, 0.3, 0.5, 0.6, 0.01]]
).astype(np.float32)
LOG_SCALE, ROTATION, TRANSLATION = EXPRESSION_SIZE, EXPRESSION_SIZE + 1, EXPRESSION_SIZE + 4


def test_a_frame_is_35_floats() -> None:
    assert (EXPRESSION_SIZE, CAMERA_SIZE, PARAMS_SIZE) == (28, 7, 35)


def test_the_vector_is_expression_then_scale_rotation_translation() -> None:
    params = Params.from_vector(GOOD)
    np.testing.assert_array_equal(params.expression, GOOD[:28])
    assert params.camera.log_scale == pytest.approx(-1.5)
    np.testing.assert_array_equal(params.camera.rotation, GOOD[29:32])
    np.testing.assert_array_equal(params.camera.translation, GOOD[32:])


def test_the_vector_comes_back_to_the_bit() -> None:
    vector = Params.from_vector(GOOD).to_vector()
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, GOOD)


def test_the_camera_comes_back_to_the_bit() -> None:
    np.testing.assert_array_equal(Camera.from_vector(GOOD[28:]).to_vector(), GOOD[28:])


def test_params_keep_no_hold_of_the_callers_array() -> None:
    vector = GOOD.copy()
    params = Params.from_vector(vector)
    vector[:] = 0
    np.testing.assert_array_equal(params.to_vector(), GOOD)


@pytest.mark.parametrize("shape", [(34,), (36,), (0,), (35, 1), ()])
def test_another_count_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParamsError, match="35 numbers"):
        Params.from_vector(np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("index", [0, 27, 28, 29, 34])
def test_what_is_not_finite_is_refused(index: int, value: float) -> None:
    vector = GOOD.copy()
    vector[index] = value
    with pytest.raises(ParamsError, match="finite"):
        Params.from_vector(vector)


@pytest.mark.parametrize(
    ("index", "limit", "word"),
    [
        (0, EXPRESSION_LIMIT, "expression"),
        (27, -EXPRESSION_LIMIT, "expression"),
        (LOG_SCALE, LOG_SCALE_LIMITS[0], "scale"),
        (LOG_SCALE, LOG_SCALE_LIMITS[1], "scale"),
        (ROTATION, ROTATION_LIMIT, "rotation"),
        (ROTATION + 2, -ROTATION_LIMIT, "rotation"),
        (TRANSLATION, TRANSLATION_LIMIT, "translation"),
        (TRANSLATION + 2, -TRANSLATION_LIMIT, "translation"),
    ],
)
def test_each_number_has_a_limit(index: int, limit: float, word: str) -> None:
    vector = GOOD.copy()
    vector[index] = limit * 0.999
    Params.from_vector(vector)
    vector[index] = limit * 1.001
    with pytest.raises(ParamsError, match=word):
        Params.from_vector(vector)
