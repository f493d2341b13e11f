"""A picture moved by a displacement."""

from __future__ import annotations

import numpy as np

from shared.mesh_warp import mesh_warp


def test_a_pixel_comes_from_where_the_displacement_points() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    displacement = np.zeros((64, 64, 2), np.float32)
    displacement[..., 0], displacement[..., 1] = 3 / 64, -5 / 64
    moved = mesh_warp(picture, displacement)
    np.testing.assert_array_equal(moved[5:, :-3], picture[:-5, 3:])


def test_beyond_the_border_its_edge_is_repeated() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    moved = mesh_warp(picture, np.full((64, 64, 2), 2, np.float32))
    assert (moved == picture[-1, -1]).all()


def test_no_displacement_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(mesh_warp(picture, np.zeros((64, 64, 2), np.float32)), picture)
