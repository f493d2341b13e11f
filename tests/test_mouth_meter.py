"""How light a mouth's inside is, measured in pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.detail import MOUTH_LIMIT
from shared.face_image import FaceRenderer
from shared.mouth import inside, mouth_basis, mouth_grid
from shared.mouth_meter import DARKEST, MouthMeter, brightness, light_inside
from shared.params import Params
from shared.pictures import Image
from tests.faces import face_model, neutral

SIDE = 256
NOBODY = np.zeros(len(face_model().identity), np.float32)


def gape(amount: float = 0.4) -> Params:
    """Return a face whose mouth is opened by this share of its eye distance."""
    gap = (face_model().expression[:, 14] - face_model().expression[:, 13])[:, 1]
    return Params((gap * amount / (gap @ gap)).astype(np.float32), neutral().camera)


def mouth_of_level(skin: int, upper: int, lower: int) -> Image:
    """Return a picture of one level of skin, and of two between the lips."""
    picture = np.full((SIDE, SIDE, 3), skin, np.uint8)
    grid = mouth_grid(face_model().points(NOBODY, gape())).reshape(10, 11, 3)[..., :2] * SIDE
    for rows, level in ((grid[:6], upper), (grid[5:], lower)):
        outline = np.concatenate([rows[0], rows[-1][::-1]])
        cv2.fillPoly(picture, [np.rint(outline - 0.5).astype(np.int32)], (level,) * 3)
    return picture


def meter(key: Image) -> MouthMeter:
    return MouthMeter(face_model(), NOBODY, key, gape())


def test_the_light_is_that_of_the_picture_between_the_lips() -> None:
    picture = mouth_of_level(100, upper=200, lower=40)
    grid = mouth_grid(face_model().points(NOBODY, gape()))
    light = light_inside(picture, grid)
    assert light.shape == inside(grid).shape[:2]
    np.testing.assert_allclose(light[1:4, 3:6], 200 / 255, atol=0.02)
    np.testing.assert_allclose(light[5:7, 3:6], 40 / 255, atol=0.02)


def test_teeth_and_tongue_come_back_where_they_are() -> None:
    picture = mouth_of_level(120, upper=190, lower=50)
    light = mouth_basis().light(meter(picture).measure(picture, gape()))
    assert light[1:3, 2:7].mean() > light[5:7, 2:7].mean() + 0.5
    # And the other way round, if they are so.
    upside = mouth_of_level(120, upper=50, lower=190)
    light = mouth_basis().light(meter(upside).measure(upside, gape()))
    assert light[1:3, 2:7].mean() < light[5:7, 2:7].mean() - 0.5


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_darker_room_changes_nothing(share: float) -> None:
    picture = mouth_of_level(160, upper=200, lower=60)
    darker = (picture * share).astype(np.uint8)
    lit, dim = (meter(key).measure(key, gape()) for key in (picture, darker))
    np.testing.assert_allclose(lit, dim, atol=0.1)


def test_a_shut_mouth_says_nothing() -> None:
    picture = mouth_of_level(120, upper=190, lower=50)
    ajar = float(face_model().mean[14, 1] - face_model().mean[13, 1])
    wide, shut = (np.abs(meter(picture).measure(picture, gape(x))).max() for x in (0.4, -ajar))
    assert shut < 0.25 * wide


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_nothing_stays_in_range(level: int) -> None:
    picture = np.full((SIDE, SIDE, 3), level, np.uint8)
    found = meter(picture).measure(255 - picture, gape())
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= MOUTH_LIMIT


def test_a_face_outside_the_picture_is_no_trouble() -> None:
    away = gape()
    away.camera.translation[:2] = 3.0
    picture = mouth_of_level(120, upper=190, lower=50)
    found = MouthMeter(face_model(), NOBODY, picture, away).measure(picture, away)
    assert np.isfinite(found).all()


def test_brightness_is_that_of_the_skin() -> None:
    renderer = FaceRenderer(face_model(), SIDE)
    shape = renderer.pose(NOBODY, gape())
    face = renderer.draw(shape, shape).nmfc
    picture = np.full((SIDE, SIDE, 3), 30, np.uint8)
    picture[face[..., 0] > 0] = 150
    assert brightness(picture, face) == pytest.approx(150 / 255, abs=0.01)
    assert brightness(np.zeros_like(picture), face) == DARKEST
    assert brightness(picture, np.zeros_like(face)) == DARKEST
