"""The benchmark of joining and coming back, on a stand-in generator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.joining import Face, attempt, draw, summarise
from benchmarks.weather import Weather
from receiver.portrait import Portrait
from shared.face_model import FaceModel
from tests.receiving import Sketch, params, photograph


def face() -> Face:
    return Face(photograph(), [params(roll / 50) for roll in range(50)], FaceModel.load())


async def test_a_call_is_timed_from_the_first_word_to_the_first_picture() -> None:
    times = await attempt(Portrait(Sketch()), face(), Weather(1), 0.0, False)
    assert 0 < times["joined_s"] < times["setup_s"]


async def test_a_cut_is_timed_from_both_sides_and_new_links_are_needed() -> None:
    times = await attempt(Portrait(Sketch()), face(), Weather(1), 2.5, True)
    assert times["receiver_noticed_s"] > 1
    assert times["sender_noticed_s"] > 1
    assert times["fresh_s"] > 0


def test_weather_loses_the_same_datagrams_for_the_same_seed() -> None:
    class Nobody:
        pass

    def pattern(seed: int) -> list[bool]:
        weather = Weather(seed, 0.3)
        return [weather.drops(Nobody()) for _ in range(500)]  # type: ignore[arg-type]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 0.2 < np.mean(pattern(1)) < 0.4


def test_the_summary_counts_what_came_about(tmp_path: Path) -> None:
    each = [{"joined_s": 1.0, "setup_s": 2.0}, {}, {"joined_s": 3.0, "setup_s": 4.0}]
    summary = summarise(each)
    assert summary["setup_s"]["median"] == 3.0
    assert summary["setup_s"]["count"] == 2
    json.dumps(summary)
    result = {"summary": summary, "each": each, "loss": 0.1, "machine": "here"}
    draw(tmp_path / "joining.png", result)
    assert (tmp_path / "joining.png").stat().st_size > 1000
