"""Lips of one set of points on the face of another."""

from __future__ import annotations

import numpy as np

from shared.eyes import SKIN_COUNT
from shared.face_model import POINT_COUNT
from shared.lips import LIPS, OPENING, ROWS, with_lips
from tests.faces import face_model


def test_lips_move_in_the_picture_and_nothing_else_does() -> None:
    plain = np.asarray(face_model().mean[:SKIN_COUNT] * 200 + 300, np.float32)
    refined = np.full((POINT_COUNT, 3), np.nan, np.float32)
    refined[list(LIPS)] = plain[list(LIPS)] + np.float32([3, 4, 5])
    face = with_lips(plain, refined)
    moved = face - plain
    np.testing.assert_allclose(moved[list(LIPS), :2], np.tile([3, 4], (len(LIPS), 1)), atol=1e-3)
    assert not moved[:, 2].any()
    assert not moved[np.setdiff1d(np.arange(SKIN_COUNT), LIPS)].any()


def test_rows_lie_from_corner_to_corner_and_below_one_another() -> None:
    mean = face_model().mean
    for row in ROWS:
        assert (np.diff(mean[list(row), 0]) > 0).all()
    heights = [mean[list(row[1:-1]), 1].mean() for row in ROWS]
    assert (np.diff(heights) > -0.01).all()  # the inner edges touch in a closed mouth
    assert len(LIPS) == 80


def test_the_opening_goes_around_the_inner_rows() -> None:
    assert set(OPENING) == {*ROWS[3], *ROWS[4]}
    assert OPENING[0] == ROWS[4][0]
    assert OPENING[-1] == ROWS[4][1]
    assert len(OPENING) == 20
