"""Similarity registration of two point sets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.procrustes import Similarity, register


def random_similarity(random: np.random.Generator) -> Similarity:
    rotation, _ = cv2.Rodrigues(random.normal(0, 1, 3))
    return Similarity(float(np.exp(random.normal())), rotation, random.normal(0, 2, 3))


@pytest.mark.parametrize("seed", range(5))
def test_a_similarity_is_found_exactly(seed: int) -> None:
    random = np.random.default_rng(seed)
    known = random_similarity(random)
    points = random.normal(0, 1, (30, 3))
    found = register(points, known.apply(points))
    assert found.scale == pytest.approx(known.scale)
    np.testing.assert_allclose(found.rotation, known.rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, known.translation, atol=1e-9)


def test_undo_brings_back() -> None:
    random = np.random.default_rng(7)
    similarity, points = random_similarity(random), random.normal(0, 1, (10, 3))
    np.testing.assert_allclose(similarity.undo(similarity.apply(points)), points, atol=1e-9)


def test_apply_is_scale_rotation_translation() -> None:
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moved = Similarity(2.0, quarter, np.array([10.0, 20, 30])).apply(np.array([[1.0, 0, 5]]))
    np.testing.assert_allclose(moved, [[10, 22, 40]])


def test_a_mirrored_target_gives_a_rotation_all_the_same() -> None:
    points = np.random.default_rng(3).normal(0, 1, (30, 3))
    found = register(points, points * [-1, 1, 1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_under_noise_no_neighbour_is_better() -> None:
    random = np.random.default_rng(4)
    points = random.normal(0, 1, (40, 3))
    target = random_similarity(random).apply(points) + random.normal(0, 0.1, (40, 3))
    found = register(points, target)

    def error(similarity: Similarity) -> float:
        return float(((similarity.apply(points) - target) ** 2).sum())

    best = error(found)
    for axis in np.eye(3):
        for sign in (-1, 1):
            nudge, _ = cv2.Rodrigues(sign * 1e-3 * axis)
            assert error(Similarity(found.scale, nudge @ found.rotation, found.translation)) > best
            moved = found.translation + sign * 1e-3 * axis
            assert error(Similarity(found.scale, found.rotation, moved)) > best
    for factor in (0.999, 1.001):
        assert error(Similarity(found.scale * factor, found.rotation, found.translation)) > best


def test_points_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        register(np.ones((5, 3)), np.random.default_rng(0).normal(0, 1, (5, 3)))
