"""Figures are found again in another run's file, wherever they stand in it."""

from __future__ import annotations

from benchmarks.readings import readings


def test_maps_and_lists_become_names() -> None:
    found = readings(
        {
            "receiver_fps": 20,
            "stages": {"track": {"median_ms": 2.0, "p95_ms": 5.0}},
            "points": [
                {"clip": "a", "codec": "x264", "setting": {"crf": 30}, "psnr": 30.0},
                {"clip": "a", "codec": "ours", "setting": "low", "psnr": 20.0},
            ],
            "machine": "here",
            "ok": True,
            "nothing": None,
            "run": {"machine": {"cores": 2}},
        }
    )
    assert {name: reading.value for name, reading in found.items()} == {
        "receiver_fps": 20,
        "stages › track › median_ms": 2.0,
        "stages › track › p95_ms": 5.0,
        'points › a, x264, setting {"crf": 30} › psnr': 30.0,
        "points › a, ours, low › psnr": 20.0,
    }


def test_order_does_not_matter_and_equal_names_are_numbered() -> None:
    one = {"callers": 1, "fps": 25.0}
    two = {"callers": 2, "fps": 20.0}
    there, back = readings({"runs": [one, two]}), readings({"runs": [two, one]})
    assert {name: reading.value for name, reading in there.items()} == {
        name: reading.value for name, reading in back.items()
    }
    assert "runs › callers 2 › fps" in there
    twice = readings({"runs": [one, {**one, "fps": 24.0}]})
    assert twice["runs › callers 1 › fps"].value == 25.0
    assert twice["runs › callers 1 2 › fps"].value == 24.0
    unnamed = readings({"each": [{"joined_s": 1.0}, {"joined_s": 2.0}]})
    assert unnamed["each › 2 › joined_s"].value == 2.0


def test_repeats_and_spread_come_along() -> None:
    stage = {"median_ms": 2.0, "p95_ms": 5.0, "median_ms_each": [1.9, 2.0, 2.2]}
    found = readings({"frames": 100, "stages": {"track": stage}})
    median = found["stages › track › median_ms"]
    assert median.each == (1.9, 2.0, 2.2)
    assert median.spread == 3.0
    assert median.count == 100
    assert found["stages › track › p95_ms"].spread is None
    assert found["frames"].count == 100


def test_rows_of_frames_are_left_out() -> None:
    rows = [{"sequence": n, "shown_ms": 40.0 * n} for n in range(100)]
    assert list(readings({"frames": rows, "lost": 1})) == ["lost"]


def test_what_repeats_the_first_run_is_read_once() -> None:
    run = {"engine": "auto", "preset": "lite", "receiver_fps": 20.0}
    other = {"engine": "auto", "preset": "full", "receiver_fps": 1.0}
    found = readings({**run, "seconds": 5, "runs": [run, other]})
    assert {name: reading.value for name, reading in found.items()} == {
        "seconds": 5,
        "runs › lite, auto › receiver_fps": 20.0,
        "runs › full, auto › receiver_fps": 1.0,
    }
