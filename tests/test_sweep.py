"""One clip measured: codecs from floor to cap, and nothing measured twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import sweep as sweep_module
from benchmarks.codecs import CODECS, Codec, Coded
from benchmarks.material import Material
from benchmarks.records import Record, Store
from benchmarks.scores import METRICS
from benchmarks.sweep import MOST_KBPS, Sweep, too_busy
from shared.metrics import psnr
from tests.faces import face_model
from tests.moving import moving_pictures, networkless, scored_material

X264 = next(codec for codec in CODECS if codec.name == "x264-veryfast")


def silent(_: str) -> None:
    """Take a notice and say nothing."""


@pytest.fixture(scope="module")
def material() -> Material:
    return scored_material(moving_pictures(20))


def swept(material: Material, folder: Path, codec: Codec = X264, **more: Any) -> list[Record]:
    circumstances = {"frames": 20} | more
    made = Sweep(material, face_model(), networkless(), Store(folder), circumstances)
    return list(made.codec(codec, silent))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The quantisers at which something was really coded."""
    coded: list[int] = []

    def code(codec: Codec, quantiser: int, *rest: Any) -> Coded:
        coded.append(quantiser)
        return real(codec, quantiser, *rest)

    real = sweep_module.code
    monkeypatch.setattr(sweep_module, "code", code)
    return coded


def test_a_codec_is_swept_from_its_floor_to_the_cap(material: Material, tmp_path: Path) -> None:
    points = [record.point for record in swept(material, tmp_path)]
    assert points[0]["setting"] == "q 51"
    assert len(points) > 2
    rates = [point["wire_kbps"] for point in points]
    assert rates[-1] == max(rates) <= MOST_KBPS  # the coarsest need not be the very cheapest
    for point in points:
        assert point["wire_kbps"] > point["payload_kbps"]
        assert point["wire_kbps"] >= point["payload_kbps"] + 10 - 1e-9
        assert point["keys"] == [0]
        assert {"clip", "codec", "frames", "fps", "reference_bytes", "ffmpeg"} <= point.keys()
        assert {metric.key for metric in METRICS} <= point.keys()


def test_a_clip_too_rich_for_the_cap_keeps_its_floor(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 256, (256, 256, 3)).astype(np.uint8) for _ in range(4)]
    points = [record.point for record in swept(scored_material(noise), tmp_path)]
    assert [point["setting"] for point in points] == ["q 51"]
    assert points[0]["wire_kbps"] > MOST_KBPS


def test_what_is_finished_is_not_measured_again(
    material: Material, tmp_path: Path, counted: list[int]
) -> None:
    first = [record.point for record in swept(material, tmp_path)]
    assert len(counted) == len(first) + 1  # the last one costs too much and is not kept
    counted.clear()
    again = [record.point for record in swept(material, tmp_path)]
    assert again == first
    assert len(counted) == 1


def test_a_run_that_was_stopped_goes_on(
    material: Material, tmp_path: Path, counted: list[int]
) -> None:
    whole = [record.point for record in swept(material, tmp_path)]
    middle = whole[1]["setting"]
    (tmp_path / "moving" / f"x264-veryfast-{middle.replace(' ', '-')}.json").unlink()
    counted.clear()
    assert [record.point for record in swept(material, tmp_path)] == whole
    assert counted[0] == int(middle.split()[1])
    assert len(counted) == 2


@pytest.mark.parametrize("change", [{"frames": 19}, {"clip": "another"}])
def test_other_circumstances_are_measured_anew(
    material: Material, tmp_path: Path, counted: list[int], change: dict[str, Any]
) -> None:
    first = swept(material, tmp_path)
    counted.clear()
    swept(material, tmp_path, **change)
    assert len(counted) == len(first) + 1


def test_other_options_of_a_codec_are_measured_anew(
    material: Material, tmp_path: Path, counted: list[int]
) -> None:
    swept(material, tmp_path)
    counted.clear()
    other = replace(X264, options=X264.options | {"preset": "ultrafast"})
    found = swept(material, tmp_path, other)
    assert len(counted) >= len(found)


def test_samples_are_frames_at_different_distances(material: Material, tmp_path: Path) -> None:
    made = Sweep(material, face_model(), networkless(), Store(tmp_path), {})
    far, near = (psnr(picture, material.pictures[0]) for picture in made.originals())
    assert far < near
    assert 0 not in made.sampled


def test_a_call_that_did_not_keep_up_is_known() -> None:
    assert too_busy({"fps": 25.0, "sent_fps": 20.0})
    assert not too_busy({"fps": 25.0, "sent_fps": 24.9})
    assert not too_busy({"fps": 25.0})
