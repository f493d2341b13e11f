"""Faces between and beyond frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from receiver.motion import (
    CAMERA_FADE_MS,
    EXPRESSION_FADE_MS,
    GUESSED_MS,
    between,
    beyond,
    detail_between,
    fades,
)
from shared.detail import Detail
from shared.params import EXPRESSION_LIMIT, EXPRESSION_SIZE, Camera, Frame, Params


def face(sequence: int, roll: float, smile: float = 0.0) -> Frame:
    camera = Camera(-0.5, np.array([0, 0, roll], np.float32), np.array([0.5, 0.5, 0], np.float32))
    return Frame(
        sequence, 40 * sequence, Params(np.full(EXPRESSION_SIZE, smile, np.float32), camera)
    )


@pytest.mark.parametrize(("at_ms", "share"), [(40, 0), (50, 0.25), (80, 1), (0, 0), (200, 1)])
def test_between_two_frames_lies_the_line(at_ms: float, share: float) -> None:
    found = between(face(1, 0.1, 2), face(2, 0.3, -2), at_ms)
    assert found.camera.rotation[2] == pytest.approx(0.1 + 0.2 * share)
    assert found.expression[0] == pytest.approx(2 - 4 * share)


def test_beyond_the_newest_a_face_moves_on_ever_more_slowly_and_then_holds() -> None:
    one, other = face(1, 0.1), face(2, 0.2)
    at_ms = [80, 120, 160, 200, 240, 280, 320, 360, 1000]
    rolls = [float(beyond(one, other, at).camera.rotation[2]) for at in at_ms]
    assert rolls[0] == pytest.approx(0.2)
    ways = np.diff(rolls)
    assert ways[0] < 0.1
    guessed = int(GUESSED_MS / 40)
    assert (ways[:guessed] > 0).all()
    assert (np.diff(ways[:guessed]) < 0).all()
    assert ways[guessed:] == pytest.approx(0)
    # All the way it could still go, were there no end.
    assert rolls[-1] < 0.2 + 0.1 * CAMERA_FADE_MS / 40


def test_a_mouth_stops_sooner_than_a_head() -> None:
    found = beyond(face(1, 0.1, 0.1), face(2, 0.2, 0.2), 1000)
    assert found.expression[0] == pytest.approx(0.2 + 0.1 * EXPRESSION_FADE_MS / 40, abs=1e-3)
    assert found.camera.rotation[2] > found.expression[0]


def test_how_fast_a_guess_fades_can_be_told() -> None:
    one, other = face(1, 0.1), face(2, 0.2)
    held = beyond(one, other, 200, fades(1e-6, 1e-6))
    np.testing.assert_allclose(held.to_vector(), other.params.to_vector(), atol=1e-6)


def test_a_guess_stays_a_face() -> None:
    wild = beyond(face(1, -3.0, -EXPRESSION_LIMIT), face(2, 3.0, EXPRESSION_LIMIT), 200)
    Params.from_vector(wild.to_vector())


def test_frames_of_one_time_do_no_harm() -> None:
    one, other = face(3, 0.1), face(3, 0.2)
    Params.from_vector(between(one, other, 120).to_vector())
    Params.from_vector(beyond(one, other, 160).to_vector())


@pytest.mark.parametrize(("at_ms", "share"), [(40, 0), (50, 0.25), (80, 1), (0, 0), (200, 1)])
def test_the_detail_goes_straight_from_frame_to_frame(at_ms: float, share: float) -> None:
    before, after = (
        replace(face(n, 0), detail=Detail(*(np.full_like(p, value) for p in Detail.none().parts)))
        for n, value in ((1, 0.1), (2, -0.1))
    )
    for part in detail_between(before, after, at_ms).parts:
        np.testing.assert_allclose(part, 0.1 - 0.2 * share, atol=1e-6)
