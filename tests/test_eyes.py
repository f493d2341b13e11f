"""Eyes that close and look, on a face that does neither."""

from __future__ import annotations

import numpy as np
import pytest

from shared.eyes import EYES, IRIS_RADIUS, IRISES, SKIN_COUNT, Points, with_eyes
from shared.face_model import POINT_COUNT
from tests.faces import face_model

UPPER, LOWER = slice(9, 16), slice(1, 8)


def plain() -> Points:
    """Return an upright face, 200 pixels between the eyes; its depths have no mean, as tracked."""
    points = np.asarray(face_model().mean[:SKIN_COUNT] * 200 + 300, np.float32)
    return points - np.float32([0, 0, points[:, 2].mean()])


def refined(look: tuple[float, float] = (0, 0), shut: float = 0.0) -> Points:
    """Return the same face looking aside (in eye widths), its lids brought together."""
    points = np.zeros((POINT_COUNT, 3), np.float32)
    points[:SKIN_COUNT] = plain()
    for eye, iris in zip(EYES, IRISES, strict=True):
        lids = points[list(eye)]
        middle, width = lids.mean(axis=0), lids[8, 0] - lids[0, 0]
        lids[UPPER, 1] += shut * (lids[LOWER, 1].mean() - lids[UPPER, 1].mean())
        points[list(eye)] = lids
        points[list(iris)] = middle + np.float32([*look, 0]) * width
    return points


def turned(points: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ np.array([[cos, -sin], [sin, cos]], np.float32).T
    return moved


def opening(points: Points, eye: tuple[int, ...]) -> float:
    lids = points[list(eye)]
    return float((lids[LOWER, 1] - lids[UPPER, 1]).mean())


def test_a_face_whose_points_agree_keeps_them() -> None:
    face = with_eyes(plain(), refined())
    assert face.shape == (POINT_COUNT, 3)
    assert face.dtype == np.float32
    np.testing.assert_allclose(face[:SKIN_COUNT, :2], plain()[:, :2], atol=1e-3)
    depth = face[:SKIN_COUNT, 2] - plain()[:, 2]
    assert np.ptp(depth) < 1e-3
    assert face[:, 2].mean() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("shut", [0.5, 1.0])
def test_lids_close_as_far_as_the_refined_ones(shut: float) -> None:
    face = with_eyes(plain(), refined(shut=shut))
    for eye in EYES:
        assert opening(face, eye) == pytest.approx(
            (1 - shut) * opening(plain(), eye), abs=1e-2 * opening(plain(), eye)
        )
        # The corners stay, the middle of the lid moves most, and no other point of the face does.
        moved = np.abs(face[list(eye)] - plain()[list(eye)])[:, 1]
        assert moved[[0, 8]].max() < 1e-3
        assert moved[12] == moved[UPPER].max() > 1
        assert moved[LOWER].max() < 1e-3
    others = np.setdiff1d(np.arange(SKIN_COUNT), [*EYES[0], *EYES[1]])
    np.testing.assert_array_equal(face[others, :2], plain()[others, :2])


@pytest.mark.parametrize("look", [(0.2, 0.0), (-0.2, 0.0), (0.0, 0.1)])
def test_irises_go_where_the_caller_looks(look: tuple[float, float]) -> None:
    straight, aside = with_eyes(plain(), refined()), with_eyes(plain(), refined(look))
    for eye, iris in zip(EYES, IRISES, strict=True):
        width = straight[eye[8], 0] - straight[eye[0], 0]
        moved = (aside - straight)[list(iris)] / width
        np.testing.assert_allclose(moved[:, :2], np.tile(look, (5, 1)), atol=1e-3)
        edge = np.linalg.norm(aside[list(iris[1:]), :2] - aside[iris[0], :2], axis=1)
        width = float(np.linalg.norm((aside[eye[8]] - aside[eye[0]])[:2]))
        np.testing.assert_allclose(edge, IRIS_RADIUS * width, rtol=1e-4)


def test_a_tilted_head_changes_nothing() -> None:
    upright = with_eyes(plain(), refined((0.2, 0.05), shut=0.7))
    tilted = with_eyes(turned(plain(), 0.6), turned(refined((0.2, 0.05), shut=0.7), 0.6))
    np.testing.assert_allclose(tilted, turned(upright, 0.6), atol=1e-2)


def test_an_eye_without_width_is_no_division_by_zero() -> None:
    nowhere = np.zeros((POINT_COUNT, 3), np.float32)
    assert np.isfinite(with_eyes(nowhere[:SKIN_COUNT], nowhere)).all()
