"""The sender's way of one frame, from tracked points to what is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.sending import FRAME_MS, send
from shared.follower import Follower, SwayGate
from shared.person import PersonFinder
from shared.wire_table import wire_tables
from tests.faces import face_model


def test_a_follower_makes_of_frames_what_the_benchmarks_send(demo_clip: Path) -> None:
    sent = list(send(demo_clip, face_model(), 12))
    first = sent[0]
    with PersonFinder() as finder:
        mask = finder.find(first.picture)
    follower = Follower(face_model(), first.identity, first.picture, mask, first.fitted)
    for frame in sent[1:]:
        made = follower.follow(frame.picture, frame.points, frame.number, frame.number * FRAME_MS)
        assert (made.sequence, made.captured_ms) == (frame.number, frame.number * FRAME_MS)
        away = made.params.to_vector() - frame.smoothed.to_vector()
        # The benchmark's filter saw the key picture too.
        assert np.abs(away / wire_tables().face.steps).mean() < 2
        assert np.abs(made.sway - frame.swayed).max() < 0.01


def test_shoulders_that_tremble_are_calmed() -> None:
    gate, steps = SwayGate(), wire_tables().sway.steps
    random = np.random.default_rng(0)
    values = (random.normal(0, 1, (100, len(steps))) * steps).astype(np.float32)
    shown = np.array([gate.apply(row, 40 * n) for n, row in enumerate(values)])
    assert shown.dtype == np.float32
    assert np.abs(np.diff(shown, axis=0)).mean() < 0.5 * np.abs(np.diff(values, axis=0)).mean()
