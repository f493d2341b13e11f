"""Frames through both ends in one process."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.stages import (
    RECEIVER,
    ROUNDS,
    SENDER,
    WEBCAM,
    Combination,
    figures,
    measure,
    webcam_frames,
)
from shared.errors import BadInputError
from shared.wire import FrameDecoder


def test_combinations_take_turns_and_every_stage_is_timed(demo_clip: Path) -> None:
    frames = webcam_frames(demo_clip)
    assert frames[0].shape == (WEBCAM[1], WEBCAM[0], 3)
    pair = [Combination("auto", "lite"), Combination("onnxruntime", "lite")]
    turns: Counter[int] = Counter()
    order = []

    def tick() -> None:
        order.append([len(one.rounds) for one in pair])
        turns["all"] += 1

    packets = measure(frames, pair, 0.1, tick)
    assert turns["all"] == 2 * ROUNDS
    assert order[:4] == [[1, 0], [1, 1], [2, 1], [2, 2]]
    for one in pair:
        assert one.engine_name
        assert len(one.rounds) == len(one.rates) == ROUNDS
        assert all(rate > 0 for rate in one.rates)
        for sample in (sample for part in one.rounds for sample in part):
            assert sample.keys() == {*SENDER, *RECEIVER, "total"}
            assert sample["total"] == pytest.approx(
                sum(sample[stage] for stage in SENDER + RECEIVER)
            )
    assert len(packets) == sum(len(part) for one in pair for part in one.rounds)
    assert FrameDecoder().decode(packets[0])


def test_what_is_not_there_or_shows_no_face_is_bad_input() -> None:
    blank = [np.zeros((WEBCAM[1], WEBCAM[0], 3), np.uint8)]
    with pytest.raises(BadInputError, match="no face"):
        measure(blank, [Combination("auto", "lite")], 0.1, lambda: None)
    with pytest.raises(BadInputError, match="preset"):
        measure(blank, [Combination("auto", "none")], 0.1, lambda: None)
    with pytest.raises(BadInputError, match="engine"):
        measure(blank, [Combination("none", "lite")], 0.1, lambda: None)


def test_figures_are_over_all_frames_and_by_round() -> None:
    found = figures([[1.0, 2.0, 3.0], [10.0]])
    assert found["median_ms"] == 2.5
    assert found["median_ms_each"] == [2.0, 10.0]
    assert found["p95_ms"] == pytest.approx(np.percentile([1, 2, 3, 10], 95))
    assert found["p95_ms_each"][1] == 10.0
