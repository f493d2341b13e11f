"""The square that a call is about: where it lies, and that pixels and points agree in it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.crop import SIDE_TO_FACE, Crop, Image


def face_at(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return stand-ins for 478 points that fill a rectangle."""
    random = np.random.default_rng(1)
    points = random.uniform(0, 1, (478, 3))
    points[0], points[1] = 0, 1
    return (points * [width, height, 50] + [x, y, 0]).astype(np.float32)


def picture_with_dots(width: int, height: int, dots: np.ndarray, radius: int) -> Image:
    picture = np.zeros((height, width, 3), np.uint8)
    for x, y in dots:
        centre = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        cv2.circle(picture, centre, radius * 16, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return picture


def test_a_head_in_a_wide_picture_gets_room_around_it() -> None:
    crop = Crop.around(face_at(900, 450, 180, 200), 1920, 1080)
    assert crop.side == pytest.approx(SIDE_TO_FACE * 200)
    assert crop.left + crop.side / 2 == pytest.approx(990, abs=0.1)
    assert crop.top + crop.side / 2 < 550  # raised, for the hair


@pytest.mark.parametrize(
    ("x", "y", "size"), [(0, 0, 100), (540, 380, 100), (-30, 200, 100), (200, 100, 300)]
)
def test_the_crop_stays_in_the_picture(x: float, y: float, size: float) -> None:
    crop = Crop.around(face_at(x, y, size, size), 640, 480)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.side <= 640
    assert crop.top + crop.side <= 480


def test_a_face_that_fills_the_picture_gets_its_short_side() -> None:
    assert Crop.around(face_at(100, 0, 480, 480), 640, 480).side == 480


def test_points_in_units_of_the_crop() -> None:
    points = np.array([[100, 50, 0], [300, 250, 20], [200, 150, -10]], np.float32)
    units = Crop(100, 50, 200).to_units(points)
    assert units.dtype == np.float32
    np.testing.assert_allclose(units, [[0, 0, 0], [1, 1, 0.1], [0.5, 0.5, -0.05]], atol=1e-6)


def test_a_crop_of_its_own_size_is_a_slice() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (300, 400, 3), np.uint8)
    np.testing.assert_array_equal(Crop(30, 20, 256).cut(picture), picture[20:276, 30:286])


@pytest.mark.parametrize("side", [97.3, 256.0, 301.0, 640.5, 900.0])
def test_pixels_land_where_points_do(side: float) -> None:
    crop = Crop(61.7, 33.2, side)
    dots = np.array([crop.left, crop.top]) + side * np.array([[0.3, 0.4], [0.7, 0.25], [0.6, 0.8]])
    picture = picture_with_dots(1200, 1000, dots, radius=max(2, round(side / 40)))
    cut = crop.cut(picture)
    assert cut.shape == (256, 256, 3)
    assert cut.dtype == np.uint8
    _, _, _, found = cv2.connectedComponentsWithStats((cut[..., 0] > 127).astype(np.uint8))
    flat = np.concatenate([dots, np.zeros((3, 1))], axis=1).astype(np.float32)
    expected = crop.to_units(flat)[:, :2]
    for place in expected:
        distances = np.linalg.norm((found[1:] + 0.5) / 256 - place, axis=1)
        assert distances.min() * 256 < 0.6  # pixels


def test_shrinking_averages() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 200
    cut = Crop(0, 0, 1024).cut(stripes)
    assert np.abs(cut.astype(int) - 100).max() <= 1


def test_beyond_the_border_its_pixels_are_repeated() -> None:
    picture = np.full((100, 100, 3), 50, np.uint8)
    picture[:, 0] = 200
    cut = Crop(-50, 0, 100).cut(picture, size=100)
    assert (cut[:, :50] == 200).all()
    assert (cut[:, 52:] == 50).all()


def test_the_size_can_be_chosen() -> None:
    assert Crop(0, 0, 64).cut(np.zeros((64, 64, 3), np.uint8), size=32).shape == (32, 32, 3)


@pytest.mark.parametrize("corner", [(500.0, 500.0), (-900.0, -900.0), (119.0, 0.0)])
def test_a_crop_beside_the_picture_shows_its_border(corner: tuple[float, float]) -> None:
    # A file whose pictures become smaller on the way.
    image = np.full((90, 120, 3), 77, np.uint8)
    cut = Crop(*corner, 600.0).cut(image)
    assert cut.shape == (256, 256, 3)
    assert (cut == 77).all()
