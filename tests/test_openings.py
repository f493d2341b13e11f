"""How far eyes and mouths are open, whatever the face's size and roll."""

from __future__ import annotations

import numpy as np
import pytest

from shared.eyes import EYES
from shared.lips import OPENING
from shared.openings import openings, openings_by_expression
from shared.params import Floats
from tests.faces import face_model

RINGS = (*EYES, OPENING)


def face(*heights: float) -> Floats:
    """Return the mean face with left eye, right eye and mouth open so far, in their widths."""
    points = face_model().mean.copy()
    for ring, height in zip(RINGS, heights, strict=True):
        half = len(ring) // 2
        low, high = ring[1:half], ring[:half:-1]
        points[list(ring), 1] = points[ring[0], 1]
        width = points[ring[half], 0] - points[ring[0], 0]
        points[list(low), 1] += height * width / 2
        points[list(high), 1] -= height * width / 2
    return points


def test_each_opening_is_its_height_over_its_width() -> None:
    found = openings(np.stack([face(0.2, 0.1, 0.4), face(0, 0.3, 0)]))
    np.testing.assert_allclose(found, [[0.2, 0.1, 0.4], [0, 0.3, 0]], atol=1e-5)


@pytest.mark.parametrize("roll", [-0.5, 0.5, 3.0])
def test_size_and_roll_do_not_matter(roll: float) -> None:
    points = face(0.2, 0.1, 0.4)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    moved = points.copy()
    moved[:, :2] = 70 * points[:, :2] @ turn.T + 300
    np.testing.assert_allclose(openings(moved[None]), [[0.2, 0.1, 0.4]], atol=1e-4)


def test_a_face_without_width_has_no_opening() -> None:
    assert openings(np.zeros((1, 478, 3), np.float32)).tolist() == [[0, 0, 0]]


def test_what_each_number_opens_is_what_it_does_to_the_mean_face() -> None:
    model = face_model()
    found = openings_by_expression(model)
    assert found.shape == (3, 28)
    expression = np.zeros(28, np.float32)
    expression[int(np.abs(found[2]).argmax())] = 0.4
    nobody = np.zeros(len(model.identity), np.float32)
    change = openings(np.stack([model.shape(nobody, e) for e in (expression, 0 * expression)]))
    np.testing.assert_allclose(change[0] - change[1], found @ expression, atol=5e-3)
