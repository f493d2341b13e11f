"""Faces between and beyond frames."""

from __future__ import annotations

import numpy as np
import pytest

from receiver.motion import GUESSED_MS, GUESSED_SPEED, between, beyond
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


def test_beyond_the_newest_a_face_moves_on_more_slowly_and_then_holds() -> None:
    rolls = [
        float(beyond(face(1, 0.1), face(2, 0.2), at).camera.rotation[2])
        for at in (80, 120, 80 + GUESSED_MS, 1000)
    ]
    assert rolls[0] == pytest.approx(0.2)
    assert rolls[1] == pytest.approx(0.2 + 0.1 * GUESSED_SPEED)
    assert rolls[1] < rolls[2] == pytest.approx(rolls[3])


def test_a_guess_stays_a_face() -> None:
    wild = beyond(face(1, -3.0, -EXPRESSION_LIMIT), face(2, 3.0, EXPRESSION_LIMIT), 200)
    Params.from_vector(wild.to_vector())


def test_frames_of_one_time_do_no_harm() -> None:
    one, other = face(3, 0.1), face(3, 0.2)
    Params.from_vector(between(one, other, 120).to_vector())
    Params.from_vector(beyond(one, other, 160).to_vector())
