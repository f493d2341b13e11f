"""The colour of the irises, measured in pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.detail import IRIS_LIMIT
from shared.eyes import EYES, IRISES
from shared.iris import iris_colour, iris_numbers, usual
from shared.iris_meter import KEPT, IrisMeter, glimpse
from shared.params import Floats
from shared.pictures import Image
from tests.faces import face_model, neutral

SIDE = 256
FACE = 0.6
BLUE, BROWN = (60, 90, 140), (100, 70, 40)
NOBODY = np.zeros(len(face_model().identity), np.float32)


def eyes(height: float = 1.0) -> Floats:
    """Return the points of a face whose eyes are open by this share of the mean face's."""
    points = face_model().points(NOBODY, neutral(-1.2))
    for eye in EYES:
        own = points[list(eye)]
        middle = own[[0, 8], 1].mean()
        points[list(eye), 1] = middle + height * (own[:, 1] - middle)
    return points


def picture_of(points: Floats, colour: tuple[int, int, int]) -> Image:
    """Return a picture of skin with white eyes, and in them pupils and irises of a colour."""
    picture = np.full((SIDE, SIDE, 3), 170, np.uint8)
    openings = np.zeros((SIDE, SIDE), np.uint8)
    balls = np.full((SIDE, SIDE, 3), 235, np.uint8)
    places = points[:, :2] * SIDE - 0.5
    for eye, iris in zip(EYES, IRISES, strict=True):
        cv2.fillPoly(openings, [np.rint(places[list(eye)]).astype(np.int32)], 1)
        radius = np.linalg.norm(places[iris[1]] - places[iris[0]])
        x, y = (int(v) for v in np.rint(places[iris[0]]))
        cv2.circle(balls, (x, y), round(float(radius)), colour, cv2.FILLED)
        cv2.circle(balls, (x, y), round(float(radius) / 3), (0, 0, 0), cv2.FILLED)
    return np.where(openings[..., None] > 0, balls, picture)


@pytest.mark.parametrize("colour", [BLUE, BROWN])
def test_the_colour_is_that_between_pupil_and_white(colour: tuple[int, int, int]) -> None:
    found = glimpse(picture_of(eyes(), colour), eyes())
    red, green, blue = np.array(colour) / 255
    assert found.seen > 0.4
    np.testing.assert_allclose(
        found.colour, [0.299 * red + 0.587 * green + 0.114 * blue, blue - red], atol=0.02
    )


def test_the_farther_the_lids_are_open_the_more_is_seen() -> None:
    shares = [glimpse(picture_of(eyes(h), BLUE), eyes(h)).seen for h in (0.05, 0.5, 1.0, 3.0)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=0.05)


def test_a_call_that_sees_no_iris_tells_the_usual_one() -> None:
    meter, shut = IrisMeter(FACE), eyes(0.05)
    for _ in range(20):
        numbers = meter.measure(picture_of(shut, BLUE), shut)
    np.testing.assert_allclose(numbers, usual(), atol=1e-5)


def test_the_longer_irises_are_seen_the_surer_is_their_colour() -> None:
    meter, opened = IrisMeter(FACE), eyes()
    picture = picture_of(opened, BLUE)
    aim = iris_numbers(glimpse(picture, opened).colour / np.float32(FACE))
    away = [np.abs(meter.measure(picture, opened) - aim).max() for _ in range(50)]
    assert away[0] > away[5] > away[-1]
    assert away[-1] < 0.05 * np.abs(aim).max()


def test_a_blink_changes_nothing() -> None:
    meter, opened, shut = IrisMeter(FACE), eyes(), eyes(0.05)
    for _ in range(20):
        before = meter.measure(picture_of(opened, BLUE), opened)
    for _ in range(10):
        after = meter.measure(picture_of(shut, BROWN), shut)
    np.testing.assert_allclose(after, before, atol=0.1)


def test_light_that_changes_is_followed_within_seconds() -> None:
    meter, opened = IrisMeter(FACE), eyes()
    for colour in (BLUE, BROWN):
        for _ in range(round(5 / (1 - KEPT))):
            numbers = meter.measure(picture_of(opened, colour), opened)
    aim = glimpse(picture_of(opened, BROWN), opened).colour / np.float32(FACE)
    np.testing.assert_allclose(iris_colour(numbers), aim, atol=0.03)


@pytest.mark.parametrize("shift", [-1.0, 0.4, 5.0, 1e4])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_a_face_outside_the_picture_or_of_no_size_is_no_trouble(shift: float, scale: float) -> None:
    points = ((eyes() - 0.5) * np.float32(scale) + np.float32(shift)).astype(np.float32)
    numbers = IrisMeter(0.1).measure(np.full((SIDE, SIDE, 3), 255, np.uint8), points)
    assert np.isfinite(numbers).all()
    assert np.abs(numbers).max() <= IRIS_LIMIT
