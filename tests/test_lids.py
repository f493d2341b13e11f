"""Lids: that meet where they almost do, and whose edges keep their size."""

from __future__ import annotations

import numpy as np
import pytest

from shared.eyes import EYES
from shared.lids import CLOSED, EDGES, FOLDS, OPEN, OVERLAP, with_closed_lids, with_unfolded_lids
from shared.openings import openings
from shared.params import Floats
from tests.faces import face_model

UPPER = [vertex for eye in EYES for vertex in eye[9:]]


def face(opening: float) -> Floats:
    """Return the mean face with both eyes open so far, eye widths; the lower lids stay."""
    points = face_model().mean.copy()
    for eye in EYES:
        lower, upper = list(eye[1:8][::-1]), list(eye[9:])
        now = openings(points[None])[0, EYES.index(eye)]
        points[upper] = points[lower] + (points[upper] - points[lower]) * opening / now
    return points


def hang(points: Floats) -> Floats:
    """Return how far each upper lid hangs over the lower one in its middle, eye widths."""
    found = []
    for eye in EYES:
        width = points[eye[8], 0] - points[eye[0], 0]
        found.append((points[eye[12], 1] - points[eye[4], 1]) / abs(width))
    return np.array(found, np.float32)


@pytest.mark.parametrize("opening", [OPEN, 0.15, 0.3])
def test_open_eyes_are_left_as_they_are(opening: float) -> None:
    points = face(opening + 1e-3)
    np.testing.assert_array_equal(with_closed_lids(points), points)


@pytest.mark.parametrize("opening", [0.0, 0.02, CLOSED])
def test_lids_that_almost_meet_close(opening: float) -> None:
    points = face(opening)
    closed = with_closed_lids(points)
    np.testing.assert_allclose(hang(closed), OVERLAP, atol=0.01)
    others = np.setdiff1d(np.arange(len(points)), UPPER)
    np.testing.assert_array_equal(closed[others], points[others])


def test_they_close_without_a_leap() -> None:
    heights = np.array([hang(with_closed_lids(face(o))) for o in np.linspace(0.02, 0.13, 56)])
    steps = np.diff(heights, axis=0)
    assert (steps < 1e-6).all()  # lower lids stay, upper ones rise
    assert np.abs(steps).max() < 0.02


def test_crossed_lids_close() -> None:
    np.testing.assert_allclose(hang(with_closed_lids(face(-0.05))), OVERLAP, atol=0.01)


def lid_heights(points: Floats) -> Floats:
    folds, edges = FOLDS[0] + FOLDS[1], EDGES[0] + EDGES[1]
    return np.asarray(np.linalg.norm(points[list(folds)] - points[list(edges)], axis=1))


@pytest.mark.parametrize("size", [1.0, 0.4, 3.0])
def test_a_closing_lid_keeps_the_height_it_was_seen_with(size: float) -> None:
    seen, closing = face(0.25), with_closed_lids(face(0.0)) * np.float32(size)
    assert (lid_heights(closing) > size * lid_heights(seen)).any()
    unfolded = with_unfolded_lids(closing, seen)
    assert (lid_heights(unfolded) <= 1.001 * size * lid_heights(seen)).all()
    others = np.setdiff1d(np.arange(len(seen)), FOLDS[0] + FOLDS[1])
    np.testing.assert_array_equal(unfolded[others], closing[others])


def test_a_lid_that_opens_folds_as_it_was_tracked() -> None:
    seen, opening = face(0.0), face(0.25)
    np.testing.assert_allclose(with_unfolded_lids(opening, seen), opening, atol=1e-6)


def test_faces_without_size_are_no_error() -> None:
    nothing = np.zeros((478, 3), np.float32)
    assert np.isfinite(with_closed_lids(nothing)).all()
    assert np.isfinite(with_unfolded_lids(face(0.2), nothing)).all()
    assert np.isfinite(with_unfolded_lids(nothing, face(0.2))).all()
