"""The benchmark of rates: what a receiver holds, the error that adds, and one real call."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rate import added_error, held, main, summary
from benchmarks.video import cut
from shared.face_model import FaceModel
from shared.latency import Latency
from shared.params import Frame
from tests.sending import frames

DEMO_END_S = 17.0  # the last three seconds of the demo's clip


@pytest.mark.parametrize("latency", list(Latency))
def test_a_receiver_holds_every_frame_or_the_one_before(latency: Latency) -> None:
    sent = frames(60)
    pairs = list(held(sent, latency))
    assert [frame for frame, _ in pairs] == sent
    moved = [np.abs(f.params.to_vector() - p.params.to_vector()).max() for f, p in pairs]
    assert max(moved) < 2


def test_the_added_error_is_small_and_grows_with_the_steps() -> None:
    model = FaceModel.load()
    identity = np.zeros(len(model.identity), np.float32)
    errors = [added_error(frames(63), identity, model, latency) for latency in Latency]
    assert 0.1 < errors[0] < 0.3
    assert errors[2] == pytest.approx(3 * errors[1], rel=0.2)


def test_a_still_face_adds_what_is_not_seen() -> None:
    model = FaceModel.load()
    identity = np.zeros(len(model.identity), np.float32)
    face = frames(1)[0].params
    still = [Frame(i, 40 * i, face) for i in range(60)]
    assert added_error(still, identity, model, Latency.NORMAL) < 0.4


def test_means_are_taken_by_setting() -> None:
    names = ("payload_kbps", "wire_kbps", "added_percent", "latency_ms")
    points = [
        {"clip": clip, "latency": latency, **dict.fromkeys(names, value)}
        for clip, latency, value in (("a", "low", 1.0), ("b", "low", 3.0), ("a", "normal", 5.0))
    ]
    means = summary(points)
    assert means["low"] == dict.fromkeys(names, 2.0)
    assert means["normal"] == dict.fromkeys(names, 5.0)


@pytest.mark.timeout(240)
def test_the_command_writes_json_and_a_picture(demo_clip: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    cut(demo_clip, DEMO_END_S, clips / "face.mp4")
    main(clips, tmp_path / "out", [Latency.NORMAL], seconds=4)
    found = json.loads((tmp_path / "out" / "rate.json").read_text())
    (point,) = found["points"]
    assert point["clip"] == "face"
    assert 0 < point["payload_kbps"] < point["wire_kbps"]
    assert found["mean"]["normal"]["wire_kbps"] == point["wire_kbps"]
    assert (tmp_path / "out" / "rate.png").read_bytes().startswith(b"\x89PNG")
