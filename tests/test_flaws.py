"""What is said of photographs that will not do well."""

from __future__ import annotations

import numpy as np
import pytest

from shared.eyes import EYES
from shared.flaws import flaws
from shared.params import Camera, Floats, Params
from tests.faces import face_model, neutral


def turned(pitch: float = 0, yaw: float = 0, roll: float = 0) -> Params:
    camera = neutral().camera
    rotation = np.deg2rad([pitch, yaw, roll]).astype(np.float32)
    return Params(neutral().expression, Camera(camera.log_scale, rotation, camera.translation))


def points(closed: tuple[int, ...] = ()) -> Floats:
    """Return the mean face, the given eyes closed."""
    face = face_model().mean.copy()
    for eye in closed:
        face[list(EYES[eye][9:])] = face[list(EYES[eye][1:8][::-1])]
    return face


def test_a_frontal_face_with_open_eyes_has_none() -> None:
    assert flaws(points(), turned()) == []


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1)])
def test_one_closed_eye_is_enough(closed: tuple[int, ...]) -> None:
    (flaw,) = flaws(points(closed), turned())
    assert "an eye is closed" in flaw


@pytest.mark.parametrize("params", [turned(yaw=-30), turned(pitch=30)])
def test_a_turned_head_is_said_with_its_angle(params: Params) -> None:
    (flaw,) = flaws(points(), params)
    assert "turned by 30 degrees" in flaw


def test_a_tilted_head_hides_nothing() -> None:
    assert flaws(points(), turned(roll=30)) == []


def test_all_flaws_are_said() -> None:
    assert len(flaws(points((0,)), turned(yaw=20))) == 2
