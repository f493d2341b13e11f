"""A picture taken apart into the person and what lies behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.layers import EDGE, LAYER_CHANNELS, Layers, Mask
from shared.pictures import Image

ROOT = Path(__file__).resolve().parent.parent
SIDE = 256
BODY = (slice(100, 256), slice(80, 180))  # rows, columns: a person
NEAR = (slice(100 - EDGE, 256), slice(80 - EDGE, 180 + EDGE))  # with the edge that is guessed


@pytest.fixture
def room() -> Image:
    """Return a wall that is light on the left and dark on the right, with a lamp."""
    ramp = np.linspace(200, 40, SIDE).astype(np.uint8)
    wall = np.repeat(np.broadcast_to(ramp, (SIDE, SIDE))[..., None], 3, axis=2).copy()
    wall[20:40, 30:50] = [250, 240, 90]
    return wall


@pytest.fixture
def person() -> Mask:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[BODY] = 255
    return mask


@pytest.fixture
def picture(room: Image) -> Image:
    picture = room.copy()
    picture[BODY] = [180, 30, 60]
    picture[100:110, 80:180] = [20, 20, 20]  # hair
    return picture


def shift(right: int, down: int = 0) -> np.ndarray:
    """Return the displacement of a person who moves by so many pixels."""
    return np.broadcast_to(
        np.array([-right / SIDE, -down / SIDE], np.float32), (SIDE, SIDE, 2)
    ).copy()


def test_what_was_seen_of_the_backdrop_is_kept(picture: Image, person: Mask) -> None:
    backdrop = Layers.split(picture, person).backdrop
    seen = np.ones((SIDE, SIDE), bool)
    seen[NEAR] = False
    np.testing.assert_array_equal(backdrop[seen], picture[seen])


def test_behind_the_person_the_room_goes_on(picture: Image, person: Mask, room: Image) -> None:
    backdrop = Layers.split(picture, person).backdrop
    assert backdrop.dtype == np.uint8
    # Nothing of the person is left, to the pixel at the edge, and a guess is near the wall.
    hidden = backdrop[NEAR].astype(int)
    assert np.abs(hidden - room[NEAR]).max() < 70
    assert np.abs(hidden - room[NEAR]).mean() < 25
    assert np.abs(hidden - [180, 30, 60]).max(axis=2).min() > 30


def test_a_pixel_that_is_partly_the_person_is_guessed_too(picture: Image, person: Mask) -> None:
    whole = Layers.split(picture, person).backdrop
    soft = person.copy()
    soft[person > 0] = 20
    np.testing.assert_array_equal(Layers.split(picture, soft).backdrop, whole)


@pytest.mark.parametrize("level", [0, 255])
def test_nobody_and_nothing_but_a_person_leave_the_picture(picture: Image, level: int) -> None:
    layers = Layers.split(picture, np.full((SIDE, SIDE), level, np.uint8))
    np.testing.assert_array_equal(layers.backdrop, picture)


def test_little_of_the_backdrop_is_enough_to_guess_from(picture: Image) -> None:
    person = np.full((SIDE, SIDE), 255, np.uint8)
    person[:12, :12] = 0
    backdrop = Layers.split(picture, person).backdrop
    assert np.abs(backdrop.astype(int) - picture[0, 0]).max() < 20


def test_a_stack_has_picture_person_and_backdrop(picture: Image, person: Mask) -> None:
    layers = Layers.split(picture, person)
    stack = layers.stack()
    assert stack.shape == (SIDE, SIDE, LAYER_CHANNELS)
    assert stack.dtype == np.uint8
    np.testing.assert_array_equal(stack[1:-1, 1:-1, :3], picture[1:-1, 1:-1])
    np.testing.assert_array_equal(stack[..., 3], person)
    np.testing.assert_array_equal(stack[..., 4:], layers.backdrop)


def test_splitting_leaves_what_it_was_given(picture: Image, person: Mask) -> None:
    given = picture.copy(), person.copy()
    Layers.split(picture, person).move(shift(9))
    np.testing.assert_array_equal(picture, given[0])
    np.testing.assert_array_equal(person, given[1])


def test_the_person_moves_and_the_background_stands(picture: Image, person: Mask) -> None:
    layers = Layers.split(picture, person)
    moved, mask = layers.move(shift(24, down=-10))
    np.testing.assert_array_equal(mask[90:240, 104:204], 255)
    np.testing.assert_array_equal(mask[:, :104], 0)
    np.testing.assert_array_equal(moved[90:240, 104:204], picture[100:250, 80:180])
    beside = mask == 0
    np.testing.assert_array_equal(moved[beside], layers.backdrop[beside])
    np.testing.assert_array_equal(moved[20:40, 30:50], picture[20:40, 30:50])  # the lamp


def test_without_motion_the_picture_comes_back(picture: Image, person: Mask) -> None:
    moved, mask = Layers.split(picture, person).move(shift(0))
    np.testing.assert_array_equal(mask, person)
    seen = np.ones((SIDE, SIDE), bool)
    seen[NEAR] = False
    seen[BODY] = True
    seen[[0, -1]] = seen[:, [0, -1]] = False  # the soft border
    np.testing.assert_array_equal(moved[seen], picture[seen])


def test_a_soft_edge_is_mixed(room: Image) -> None:
    person = np.full((SIDE, SIDE), 102, np.uint8)  # two fifths
    layers = Layers(np.full_like(room, 100), person, np.full_like(room, 200))
    moved, _ = layers.move(shift(0))
    assert (moved == 160).all()


def test_where_all_is_the_person_everything_moves(picture: Image) -> None:
    everything = np.full((SIDE, SIDE), 255, np.uint8)
    moved, mask = Layers.split(picture, everything).move(shift(24))
    assert (mask == 255).all()
    np.testing.assert_array_equal(moved[1:-1, 25:], picture[1:-1, 1:-24])


def test_what_comes_in_from_beyond_the_border_is_no_streak() -> None:
    """Hair at the border, a line dark and a line light, is grey beyond it."""
    dark = np.indices((SIDE, SIDE)).sum(axis=0) % 2
    hair = np.repeat((200 * dark).astype(np.uint8)[..., None], 3, axis=2)
    everything = np.full((SIDE, SIDE), 255, np.uint8)
    moved, _ = Layers.split(hair, everything).move(shift(24, down=-24))
    beyond = moved[40:-40, :20], moved[-20:, 40:-40].swapaxes(0, 1)
    for part in beyond:
        assert np.abs(np.diff(part.astype(int), axis=0)).max() <= 10
        assert 60 < part.mean() < 190


def test_training_needs_no_mediapipe() -> None:
    check = "import models.dataset, models.train, sys; sys.exit('mediapipe' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or "mediapipe was imported"
