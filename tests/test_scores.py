"""The scores of clips whose distance is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.packaged import is_kept
from benchmarks.scores import METRICS, PERCEPTUAL_EVERY, SQUEEZENET, Networks, Scorer, means
from shared.pictures import Image
from tests.moving import moving_pictures, networkless, scored_material

KEPT = Path(__file__).resolve().parent.parent / "build" / "packages"


def ramps(count: int, shift: int = 0) -> list[Image]:
    """Return ramps that rise by one level every pixel, from 20, `shift` pixels to the left."""
    ramp = np.clip(np.arange(256) + shift, 0, 200).astype(np.uint8)
    return [np.repeat(np.tile(ramp, (256, 1))[:, :, None], 3, axis=2)] * count


def test_a_lighter_clip_has_the_psnr_of_its_steps() -> None:
    pictures = [np.full((256, 256, 3), 90, np.uint8) for _ in range(4)]
    lighter = [picture + 10 for picture in pictures]
    scores = Scorer(scored_material(pictures), networkless()).score(lighter)
    assert scores["psnr"] == pytest.approx([20 * np.log10(255 / 10)] * 3)
    assert scores["psnr_y"] == pytest.approx([20 * np.log10(255 / 10)] * 3, abs=1e-4)


def test_a_clip_shifted_by_three_pixels_has_the_psnr_of_its_slope() -> None:
    # 200 of 256 columns differ: by 3 levels, and the last three before the plateau by 3, 2 and 1.
    scores = Scorer(scored_material(ramps(3)), networkless()).score(ramps(3, shift=3))
    error = (198 * 9 + 4 + 1) / 256
    assert scores["psnr"] == pytest.approx([10 * np.log10(255**2 / error)] * 2)


def test_the_reference_is_not_scored_and_frames_stay_in_order() -> None:
    pictures = moving_pictures(4)
    shown = [np.zeros_like(pictures[0]), *pictures[1:3], pictures[0]]
    scores = Scorer(scored_material(pictures), networkless()).score(shown)
    assert scores["psnr"][:2] == [110.0, 110.0]
    last = scores["psnr"][2]
    assert last is not None
    assert last < 40


def test_what_has_no_network_has_no_value() -> None:
    pictures = moving_pictures(3)
    scores = Scorer(scored_material(pictures), networkless()).score(pictures)
    assert scores.keys() == {metric.key for metric in METRICS}
    assert scores["identity"] == scores["perceptual"] == [None, None]
    found = means(scores)
    assert found["identity"] is None
    assert found["psnr"] == 110.0


def test_means_leave_out_frames_that_were_not_taken() -> None:
    assert means({"a": [None, 2.0, None, 4.0], "b": [None]}) == {"a": 3.0, "b": None}


def test_the_perceptual_distance_grows_with_damage() -> None:
    if not is_kept(SQUEEZENET, KEPT):
        pytest.skip("SqueezeNet is not in build/packages (benchmarks.quality fetches it)")
    pictures = moving_pictures(PERCEPTUAL_EVERY + 1)
    networks = Networks(KEPT)
    assert "perceptual" not in networks.missing
    scorer = Scorer(scored_material(pictures), networks)
    grey = [np.full_like(picture, 128) for picture in pictures]
    noisy = [picture ^ np.uint8(16) for picture in pictures]
    same, near, far = (scorer.score(shown)["perceptual"] for shown in (pictures, noisy, grey))
    for values in (same, near, far):
        assert [value is not None for value in values] == [False] * 4 + [True]
    assert same[-1] == pytest.approx(0.0, abs=1e-4)
    assert (near[-1] or 0.0) < (far[-1] or 0.0)


def test_networks_that_cannot_be_had_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody is there
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    networks = Networks(tmp_path)
    assert networks.perceptual is None
    assert networks.identity is None
    assert set(networks.missing) == {"perceptual", "identity"}
