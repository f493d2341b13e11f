"""Augmentation: picture and mesh are changed alike."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.augmentation import Augmentation
from shared.face_image import FaceRenderer, FaceShape
from shared.params import Floats
from shared.pictures import Image
from tests.faces import NOSE, dot, drawn, face_model, person, posed

IDENTITY = np.eye(2, 3)


@pytest.fixture(scope="module")
def face() -> tuple[Image, FaceShape]:
    random = np.random.default_rng(2)
    identity, params = person(random), posed(random)
    return drawn(identity, params), FaceRenderer(face_model()).pose(identity, params)


def change(
    matrix: Floats | None = None, flip: bool = False, gain: float = 1, gamma: float = 1
) -> Augmentation:
    return Augmentation(
        IDENTITY if matrix is None else np.array(matrix, float), flip, np.full(3, gain), gamma
    )


def test_the_augmentation_that_changes_nothing(face: tuple[Image, FaceShape]) -> None:
    picture, shape = face
    none = Augmentation.none()
    every_level = np.arange(256, dtype=np.uint8).repeat(256 * 3).reshape(256, 256, 3)
    np.testing.assert_array_equal(none.image(picture), picture)
    np.testing.assert_array_equal(none.image(every_level), every_level)
    np.testing.assert_array_equal(none.shape(shape).points, shape.points)


def test_flipping_mirrors_the_picture(face: tuple[Image, FaceShape]) -> None:
    picture, _ = face
    np.testing.assert_array_equal(change(flip=True).image(picture), picture[:, ::-1])


def test_flipping_twice_is_nothing(face: tuple[Image, FaceShape]) -> None:
    _, shape = face
    flip = change(flip=True)
    np.testing.assert_allclose(flip.shape(flip.shape(shape)).points, shape.points, atol=1e-6)


def nose_is_on_the_dot(augmentation: Augmentation, face: tuple[Image, FaceShape]) -> float:
    """Return how far, in pixels, the changed mesh's nose is from the changed picture's."""
    picture, shape = face
    nose = augmentation.shape(shape).points[NOSE, :2]
    return float(np.linalg.norm(dot(augmentation.image(picture)) - nose) * 256)


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation.none(),
        change(flip=True),
        change([[1, 0, 0.06], [0, 1, -0.04]]),
        change([[1.2, 0, -0.1], [0, 1.2, -0.1]]),
        change([[0.98, -0.2, 0.1], [0.2, 0.98, -0.1]]),
        change([[0.9, 0.15, 0.02], [-0.15, 0.9, 0.06]], flip=True),
    ],
    ids=["none", "flip", "shift", "zoom", "turn", "all"],
)
def test_picture_and_mesh_are_changed_alike(
    augmentation: Augmentation, face: tuple[Image, FaceShape]
) -> None:
    assert nose_is_on_the_dot(augmentation, face) < 0.6


def test_a_zoom_keeps_to_pixel_centres() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    zoomed = change([[2, 0, -0.5], [0, 2, -0.5]]).image(picture)
    expected = cv2.resize(picture[64:192, 64:192], (256, 256), interpolation=cv2.INTER_LINEAR)
    inside = slice(4, -4)  # beyond them the two repeat different borders
    assert np.abs(zoomed.astype(int) - expected)[inside, inside].max() <= 3


@pytest.mark.parametrize("seed", range(6))
def test_a_random_change_keeps_picture_and_mesh_together(
    seed: int, face: tuple[Image, FaceShape]
) -> None:
    random = np.random.default_rng(seed)
    augmentation = Augmentation.draw(random)
    geometry = Augmentation(augmentation.matrix, augmentation.flip, np.ones(3), 1.0)
    assert nose_is_on_the_dot(geometry, face) < 0.6
    # Still a head in the picture, as the right way up as heads are.
    points = augmentation.shape(face[1]).points[:468]
    assert (np.abs(points[:, :2].mean(axis=0) - 0.5) < 0.35).all()
    assert points[10, 1] < points[152, 1]


def test_flips_come_half_of_the_time() -> None:
    random = np.random.default_rng(0)
    flips = [Augmentation.draw(random).flip for _ in range(400)]
    assert 0.4 < np.mean(flips) < 0.6


def test_some_pictures_are_as_warm_as_lamps_or_as_cold_as_the_sky() -> None:
    random = np.random.default_rng(0)
    gains = np.array([Augmentation.draw(random).gain for _ in range(400)])
    warmth = np.log(gains[:, 0] / gains[:, 2])
    assert 0.1 < np.mean(np.abs(warmth) > 0.25) < 0.25  # what a camera's own errors do not reach
    assert warmth.min() < -0.5
    assert warmth.max() > 0.5


def test_a_mask_moves_with_its_picture_and_keeps_its_values() -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[40:120, 60:130] = 255
    for seed in range(4):
        random = np.random.default_rng(seed)
        augmentation = Augmentation.draw(random)
        placed = augmentation.place(mask)
        assert placed.shape == mask.shape
        assert {0, 255} <= set(np.unique(placed).tolist())
        geometry = Augmentation(augmentation.matrix, augmentation.flip, np.ones(3), 1.0)
        picture = geometry.image(np.repeat(mask[..., None], 3, axis=2))
        np.testing.assert_array_equal(placed, picture[..., 0])


def test_colours_do_not_touch_a_mask() -> None:
    mask = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    change = Augmentation(IDENTITY, False, np.array([1.5, 0.5, 1.0]), 1.4, 0.0)
    np.testing.assert_array_equal(change.place(mask), mask)


def test_depth_grows_with_a_zoom(face: tuple[Image, FaceShape]) -> None:
    _, shape = face
    points = change([[1.5, 0, 0], [0, 1.5, 0]]).shape(shape).points
    np.testing.assert_allclose(points, shape.points * 1.5, atol=1e-5)


def test_gain_and_gamma_change_colours_only(face: tuple[Image, FaceShape]) -> None:
    picture = np.full((256, 256, 3), 100, np.uint8)
    bright = Augmentation(IDENTITY, False, np.array([1.5, 1.0, 3.0]), 1.0)
    assert bright.image(picture)[0, 0].tolist() == [150, 100, 255]
    dark = change(gamma=2).image(picture)[0, 0, 0]
    assert int(dark) == pytest.approx(255 * (100 / 255) ** 2, abs=1)
    np.testing.assert_array_equal(bright.shape(face[1]).points, face[1].points)


def test_without_saturation_a_picture_is_grey_and_as_bright() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    grey = Augmentation(IDENTITY, False, np.ones(3), 1.0, 0.0).image(picture)
    assert (grey == grey[..., :1]).all()
    assert np.abs(grey.mean() - cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).mean()) < 1
    vivid = Augmentation(IDENTITY, False, np.ones(3), 1.0, 1.5).image(picture)
    assert vivid.std(axis=2).mean() > picture.std(axis=2).mean()
