"""The grid between the lips, and the basis of what is seen there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.detail import MOUTH_LIMIT, MOUTH_SIZE
from shared.mouth import (
    ACROSS,
    DOWN,
    GRID_ACROSS,
    GRID_COUNT,
    HALF_SEEN,
    LOWER,
    UPPER,
    MouthBasis,
    grid_triangles,
    inside,
    mouth_basis,
    mouth_grid,
    opening_of,
    over_grid,
    unseen,
)
from tests.faces import face_model


def square() -> np.ndarray:
    """Return points of a mouth that is open from x = 0 to 1 and from y = 0 to 0.5."""
    points = np.zeros((478, 3), np.float32)
    points[list(UPPER), 0] = points[list(LOWER), 0] = np.linspace(0, 1, len(UPPER))
    points[list(LOWER)[1:-1], 1] = 0.5
    points[[LOWER[0], LOWER[-1]], 1] = 0.25
    return points


def test_the_grid_goes_from_lip_to_lip_and_from_corner_to_corner() -> None:
    points = face_model().mean
    grid = mouth_grid(points).reshape(-1, GRID_ACROSS, 3)
    np.testing.assert_allclose(grid[0], points[list(UPPER)], atol=1e-6)
    np.testing.assert_allclose(grid[-1], points[list(LOWER)], atol=1e-6)
    np.testing.assert_allclose(grid[:, 0] - points[UPPER[0]], 0, atol=1e-6)


def test_what_is_looked_at_lies_in_equal_steps_between_the_lips() -> None:
    places = inside(mouth_grid(square()))
    assert places.shape == (DOWN, ACROSS, 3)
    np.testing.assert_allclose(places[:, 4, 1], 0.5 * (np.arange(DOWN) + 0.5) / DOWN, atol=1e-6)
    np.testing.assert_allclose(places[0, :, 0], np.arange(1, 10) / 10, atol=1e-6)


def test_the_opening_is_an_area() -> None:
    assert opening_of(mouth_grid(square())) == pytest.approx(0.5 * 0.8 + 0.25 * 0.2)
    shut = square()
    shut[:, 1] = 0
    assert opening_of(mouth_grid(shut)) == 0


def test_triangles_cover_the_grid_once() -> None:
    grid = mouth_grid(square())[:, :2]
    a, b, c = (grid[corner] for corner in grid_triangles().T)
    (x, y), (u, v) = (b - a).T, (c - a).T
    areas = (x * v - y * u) / 2
    assert np.abs(areas).sum() == pytest.approx(abs(areas.sum()))  # all one way round
    assert abs(areas.sum()) == pytest.approx(opening_of(mouth_grid(square())))
    assert set(grid_triangles().ravel()) == set(range(GRID_COUNT))


def test_lips_and_corners_are_coloured_as_what_is_beside_them() -> None:
    light = np.random.default_rng(0).random((DOWN, ACROSS)).astype(np.float32)
    over = over_grid(light).reshape(-1, GRID_ACROSS)
    np.testing.assert_array_equal(over[1:-1, 1:-1], light)
    np.testing.assert_array_equal(over[0, 1:-1], light[0])
    np.testing.assert_array_equal(over[1:-1, -1], light[:, -1])


def test_numbers_come_back_from_the_light_they_stand_for() -> None:
    basis, random = mouth_basis(), np.random.default_rng(1)
    numbers = random.normal(0, 0.3, MOUTH_SIZE).astype(np.float32)
    found = basis.numbers(basis.light(numbers), opening=1000 * HALF_SEEN)
    np.testing.assert_allclose(found, numbers, atol=0.02)


def test_directions_do_not_overlap() -> None:
    flat = mouth_basis().directions.reshape(MOUTH_SIZE, -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(unit @ unit.T, np.eye(MOUTH_SIZE), atol=1e-5)


def test_what_is_hardly_open_says_little_and_what_is_shut_nothing() -> None:
    basis = mouth_basis()
    light = basis.light(np.ones(MOUTH_SIZE, np.float32))
    wide, half, shut = (basis.numbers(light, x * HALF_SEEN) for x in (1e6, 1.0, 0.0))
    np.testing.assert_allclose(half, wide / 2, atol=1e-4)
    np.testing.assert_array_equal(shut, unseen())


def test_no_light_is_beyond_what_may_be_sent() -> None:
    found = mouth_basis().numbers(np.full((DOWN, ACROSS), 1e4, np.float32), opening=1.0)
    assert np.abs(found).max() == MOUTH_LIMIT
    assert mouth_basis().light(found).min() >= 0


def test_a_lit_mouth_is_lighter_than_a_dark_one() -> None:
    basis = mouth_basis()
    teeth, dark = (basis.numbers(np.full((DOWN, ACROSS), x, np.float32), 1.0) for x in (1.2, 0.2))
    assert basis.light(teeth).mean() > 2 * basis.light(dark).mean()


@pytest.mark.parametrize("shape", [(MOUTH_SIZE, DOWN, ACROSS - 1), (MOUTH_SIZE + 1, DOWN, ACROSS)])
def test_a_basis_of_other_mouths_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "mouth.safetensors"
    mean = np.zeros((DOWN, ACROSS), np.float32)
    save_file({"mean": mean, "directions": np.zeros(shape, np.float32)}, str(path))
    with pytest.raises(ValueError, match="other mouths"):
        MouthBasis.load(path)


@pytest.mark.parametrize("content", [None, b"", b"no basis"])
def test_a_damaged_basis_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mouth.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read"):
        MouthBasis.load(path)
