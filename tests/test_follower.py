"""The sender's way of one frame, from tracked points to what is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.sending import FRAME_MS, send
from shared.follower import DetailMeter, Follower
from shared.person import PersonFinder
from shared.wire_table import wire_tables
from tests.faces import face_model, neutral, textured


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


def test_what_trembles_in_the_picture_is_calmed() -> None:
    random = np.random.default_rng(0)
    key, home = textured(random), neutral()
    everybody = np.full(key.shape[:2], 255, np.uint8)
    calm, bare = (
        DetailMeter(face_model(), np.zeros(80, np.float32), key, everybody, home) for _ in range(2)
    )
    shown, measured = [], []
    for number in range(40):
        noisy = np.clip(key + random.normal(0, 12, key.shape), 0, 255).astype(np.uint8)
        shown.append(calm.measure(noisy, home, 40 * number).parts)
        # After a gap the gate holds nothing back.
        measured.append(bare.measure(noisy, home, 1000 * number).parts)
    for own, theirs in zip(zip(*shown, strict=True), zip(*measured, strict=True), strict=True):
        assert own[0].dtype == np.float32
        assert np.abs(np.diff(own, axis=0)).mean() < 0.5 * np.abs(np.diff(theirs, axis=0)).mean()
