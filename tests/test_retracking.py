"""A rebuilt head, tracked again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.retracking import Retracker, difference, is_frontal, turned_deg
from benchmarks.sending import send
from shared.params import Camera, Params
from tests.faces import face_model, neutral


def turned(*rotation: float) -> Params:
    camera = neutral().camera
    return Params(
        neutral().expression,
        Camera(camera.log_scale, np.array(rotation, np.float32), camera.translation),
    )


@pytest.mark.parametrize("rotation", [(0.3, 0, 0), (0, -0.3, 0), (0, 0, 0.3)])
def test_the_angle_between_two_heads(rotation: tuple[float, float, float]) -> None:
    assert turned_deg(neutral(), turned(*rotation)) == pytest.approx(np.degrees(0.3), abs=1e-3)
    assert turned_deg(turned(*rotation), turned(*rotation)) == pytest.approx(0, abs=1e-3)


def test_expressions_differ_by_their_rms() -> None:
    other = neutral().expression.copy()
    other[:7] += 2  # a quarter of them
    apart = difference(Params(other, turned(0, 0.1, 0).camera), neutral())
    assert apart.expression == pytest.approx(1)
    assert apart.pose_deg == pytest.approx(np.degrees(0.1), abs=1e-3)


@pytest.mark.parametrize(
    ("rotation", "frontal"),
    [((0, 0, 0), True), ((0, 0, 0.8), True), ((0.3, 0, 0), True), ((0, 0.5, 0), False)],
)
def test_a_tilted_head_is_frontal_and_a_turned_one_is_not(
    rotation: tuple[float, float, float], frontal: bool
) -> None:
    assert is_frontal(turned(*rotation)) == frontal


def test_the_original_again_is_near_and_another_pose_is_not(demo_clip: Path) -> None:
    sent = list(send(demo_clip, face_model(), 4))
    camera = sent[-1].fitted.camera
    other = Params(
        sent[-1].fitted.expression + 2,
        Camera(camera.log_scale, camera.rotation + np.float32(0.5), camera.translation),
    )
    with Retracker(face_model(), sent[0].identity) as tracker:
        again = [tracker.compare(frame.picture, frame.fitted) for frame in sent][-1]
        apart = tracker.compare(sent[-1].picture, other)
        blank = tracker.compare(np.zeros((256, 256, 3), np.uint8), other)
    assert again is not None
    assert apart is not None
    assert again.expression < 1
    assert again.pose_deg < 5
    assert apart.expression > 1
    assert apart.pose_deg > 15
    assert blank is None
