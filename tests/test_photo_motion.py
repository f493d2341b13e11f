"""A photograph moved as a clip's face moved."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.photo_motion import SHIFT_LIMIT, TURN_LIMIT, ZOOM_LIMIT, moved_alike
from shared.params import EXPRESSION_LIMIT, Camera, Params
from tests.faces import neutral, posed


def turned(params: Params, angle: float, shift: float = 0, zoom: float = 0) -> Params:
    """Return a face turned about the vertical, shifted to the right and zoomed."""
    camera = params.camera
    rotation, _ = cv2.Rodrigues(camera.rotation.astype(np.float64))
    turn, _ = cv2.Rodrigues(np.array([0, angle, 0.0]))
    vector, _ = cv2.Rodrigues(turn @ rotation)
    moved = camera.translation + np.array([shift, 0, 0], np.float32)
    return Params(
        params.expression,
        Camera(camera.log_scale + zoom, vector.ravel().astype(np.float32), moved),
    )


def test_no_motion_moves_nothing() -> None:
    photo, frame = (posed(np.random.default_rng(seed)) for seed in (1, 2))
    np.testing.assert_allclose(
        moved_alike(photo, frame, frame).to_vector(), photo.to_vector(), atol=1e-5
    )


def test_a_small_motion_is_carried_over_whole() -> None:
    photo = posed(np.random.default_rng(1))
    moved = moved_alike(photo, neutral(), turned(neutral(), 0.3, shift=0.05, zoom=0.1))
    expected = turned(photo, 0.3, shift=0.05, zoom=0.1)
    np.testing.assert_allclose(moved.to_vector(), expected.to_vector(), atol=1e-5)


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_large_motion_is_bounded(direction: int) -> None:
    far = turned(neutral(), direction * 1.2, shift=direction * 0.5, zoom=direction * 0.9)
    expected = turned(
        neutral(), direction * TURN_LIMIT, direction * SHIFT_LIMIT, direction * ZOOM_LIMIT
    )
    np.testing.assert_allclose(
        moved_alike(neutral(), neutral(), far).to_vector(), expected.to_vector(), atol=1e-5
    )


def test_expression_changes_by_the_difference_and_stays_in_range() -> None:
    photo, before, after = (posed(np.random.default_rng(seed)) for seed in (1, 2, 3))
    moved = moved_alike(photo, before, after)
    np.testing.assert_allclose(
        moved.expression, photo.expression + after.expression - before.expression, atol=1e-5
    )
    wide = Params(after.expression + 30, after.camera)
    Params.from_vector(moved_alike(photo, before, wide).to_vector())  # or it would raise
    assert moved_alike(photo, before, wide).expression.max() == EXPRESSION_LIMIT
