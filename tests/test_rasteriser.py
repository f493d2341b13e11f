"""Drawing meshes: against values known by hand, and against a slow drawing in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from shared.rasteriser import rasterise

SIZE = 32
TRIANGLE = np.array([[0, 1, 2]], np.int32)
WHOLE = [[-1, -1], [3, -1], [-1, 3]]  # covers the image


def at(corners: list[list[float]], depth: float = 0.0) -> np.ndarray:
    """Return vertices of one depth."""
    flat = np.asarray(corners, np.float32)
    return np.concatenate([flat, np.full((len(flat), 1), depth, np.float32)], axis=1)


def slow(
    points: np.ndarray, triangles: np.ndarray, attributes: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pixel by pixel in float64; also says where a border or a tie makes the answer open."""
    pixels = points.astype(np.float64) * size
    image = np.zeros((size, size, attributes.shape[1]))
    depth = np.full((size, size), np.inf)
    close = np.zeros((size, size), bool)
    for row in range(size):
        for column in range(size):
            position = np.array([column + 0.5, row + 0.5])
            for triangle in triangles:
                corners = pixels[triangle]
                edges = (corners[1:, :2] - corners[0, :2]).T
                if abs(np.linalg.det(edges)) < 1e-9:
                    continue
                u, v = np.linalg.solve(edges, position - corners[0, :2])
                weights = np.array([1 - u - v, u, v])
                close[row, column] |= bool(np.abs(weights).min() < 1e-3)
                if weights.min() < 0:
                    continue
                z = float(weights @ corners[:, 2])
                close[row, column] |= bool(abs(z - depth[row, column]) < 1e-3)
                if z < depth[row, column]:
                    depth[row, column] = z
                    image[row, column] = weights @ attributes[triangle]
    return image, np.isfinite(depth), close


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_a_slow_drawing(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(-0.3, 1.3, (12, 3)).astype(np.float32)
    triangles = np.array([random.choice(12, 3, replace=False) for _ in range(10)], np.int32)
    attributes = random.normal(0, 1, (12, 4)).astype(np.float32)
    image, drawn = rasterise(points, triangles, attributes, SIZE)
    expected, covered, close = slow(points, triangles, attributes, SIZE)
    assert close.mean() < 0.1
    assert covered.mean() > 0.2
    np.testing.assert_array_equal(drawn[~close], covered[~close])
    np.testing.assert_allclose(image[~close], expected[~close], atol=1e-3)


def test_attributes_are_interpolated_at_pixel_centres() -> None:
    # An attribute that is the position itself must come out as each pixel's centre.
    points = at(WHOLE)
    image, drawn = rasterise(points, TRIANGLE, points[:, :2].copy(), SIZE)
    centres = (np.arange(SIZE) + 0.5) / SIZE
    assert drawn.all()
    np.testing.assert_allclose(image[..., 0], np.broadcast_to(centres, (SIZE, SIZE)), atol=1e-5)
    np.testing.assert_allclose(image[..., 1], np.broadcast_to(centres, (SIZE, SIZE)).T, atol=1e-5)


def test_a_half_picture_triangle_covers_half_of_it() -> None:
    image, drawn = rasterise(
        at([[0, 0], [1, 0], [0, 1]]), TRIANGLE, np.ones((3, 1), np.float32), SIZE
    )
    rows, columns = np.indices((SIZE, SIZE))
    np.testing.assert_array_equal(drawn, rows + columns <= SIZE - 1)
    np.testing.assert_array_equal(image[..., 0], drawn)


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearest_wins_in_either_order(near_first: bool) -> None:
    points = np.concatenate([at(WHOLE, depth=-0.5), at(WHOLE, depth=0.5)])
    colours = np.repeat([[1.0], [2.0]], 3, axis=0).astype(np.float32)
    order = [[0, 1, 2], [3, 4, 5]] if near_first else [[3, 4, 5], [0, 1, 2]]
    image, _ = rasterise(points, np.array(order, np.int32), colours, SIZE)
    assert (image == 1).all()


def test_surfaces_that_cross_change_places_where_they_cross() -> None:
    sloped = at(WHOLE)
    sloped[:, 2] = sloped[:, 0] - 0.5  # nearer than the flat one left of the middle
    points = np.concatenate([sloped, at(WHOLE)])
    colours = np.repeat([[1.0], [2.0]], 3, axis=0).astype(np.float32)
    image, _ = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]], np.int32), colours, SIZE)
    assert (image[:, : SIZE // 2 - 1] == 1).all()
    assert (image[:, SIZE // 2 + 1 :] == 2).all()


def test_either_winding_is_drawn() -> None:
    points, colours = at([[0.1, 0.1], [0.9, 0.2], [0.3, 0.8]]), np.eye(3, dtype=np.float32)
    one, _ = rasterise(points, TRIANGLE, colours, SIZE)
    other, _ = rasterise(points, TRIANGLE[:, ::-1].copy(), colours, SIZE)
    assert one.any()
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    "corners",
    [
        [[2, 2], [3, 2], [2, 3]],
        [[-3, 0], [-2, 0], [-2, 1]],
        [[0.2, 0.2], [0.5, 0.5], [0.8, 0.8]],
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]],
        [[1e20, 1e20], [2e20, 1e20], [1e20, 2e20]],
    ],
    ids=["right", "left", "line", "point", "far"],
)
def test_what_cannot_be_seen_draws_nothing(corners: list[list[float]]) -> None:
    image, drawn = rasterise(at(corners), TRIANGLE, np.ones((3, 2), np.float32), SIZE)
    assert not drawn.any()
    assert not image.any()


def test_a_triangle_that_reaches_out_is_cut_at_the_border() -> None:
    inside = at([[0.25, 0.25], [5.25, 0.25], [0.25, 5.25]])
    _, drawn = rasterise(inside, TRIANGLE, np.ones((3, 1), np.float32), SIZE)
    expected = np.zeros((SIZE, SIZE), bool)
    expected[SIZE // 4 :, SIZE // 4 :] = True
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    points = at(WHOLE)
    points[1, 2] = value
    with pytest.raises(ValueError, match="not finite"):
        rasterise(points, TRIANGLE, np.ones((3, 1), np.float32), SIZE)


def test_nothing_to_draw_is_an_empty_picture() -> None:
    none = np.zeros((0, 3), np.int32)
    image, drawn = rasterise(at(WHOLE), none, np.ones((3, 2), np.float32), SIZE)
    assert image.shape == (SIZE, SIZE, 2)
    assert image.dtype == np.float32
    assert not drawn.any()


def test_the_callers_vertices_are_left_alone() -> None:
    points = at(WHOLE)
    before = points.copy()
    rasterise(points, TRIANGLE, np.ones((3, 1), np.float32), SIZE)
    np.testing.assert_array_equal(points, before)
