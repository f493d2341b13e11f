"""The sender's way of one frame, from tracked points to what is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.sending import FRAME_MS, send
from shared.follower import Follower
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
        assert np.abs(made.detail.sway - frame.seen.sway).max() < 0.01
        assert np.abs(made.detail.mouth - frame.seen.mouth).max() < 0.5
        assert np.abs(made.detail.iris - frame.seen.iris).max() < 0.5
