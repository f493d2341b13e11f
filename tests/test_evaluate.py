"""The quick look at a generator on validation pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.dataset import Pairs
from models.evaluate import Pair, Score, evaluate, psnr, validation_pairs
from models.headgan import HeadGan
from models.presets import preset
from models.tracked import TrackedClips
from tests.faces import PICTURES_A_CLIP, tracked_file

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

FRAMES = 2


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[list[Pair]]:
    path = tracked_file(tmp_path_factory.mktemp("evaluate") / "tracked.npz")
    return validation_pairs(Pairs(TrackedClips.load(path), seed=0, count=1, augment=False), FRAMES)


@pytest.fixture(scope="module")
def network() -> HeadGan:
    torch.manual_seed(0)
    return HeadGan(preset("lite")).eval()


@pytest.fixture(scope="module")
def judged(clips: list[list[Pair]], network: HeadGan) -> tuple[Score, list[list[Tensor]]]:
    return evaluate(network, clips)


def test_psnr_is_that_of_8_bit_pictures() -> None:
    target = torch.zeros(3, 16, 16)
    # 127.5 and 140.25 are levels 128 and 140.
    assert psnr(target + 0.1, target) == pytest.approx(20 * np.log10(255 / 12))
    assert psnr(target, target) > 100
    bright = torch.ones(3, 16, 16)
    assert psnr(bright * 5, bright) == psnr(bright, bright)  # bounded as a picture is


def test_a_smaller_error_is_a_higher_psnr() -> None:
    torch.manual_seed(1)
    target, noise = torch.zeros(3, 32, 32), torch.randn(3, 32, 32)
    found = [psnr(target + noise * size, target) for size in (0.02, 0.1, 0.3)]
    assert found == sorted(found, reverse=True)


def test_each_clips_first_picture_is_the_reference(clips: list[list[Pair]]) -> None:
    assert len(clips) == 2  # a photograph is no clip
    assert all(len(clip) == FRAMES for clip in clips)
    for clip in clips:
        assert all(torch.equal(pair["reference"], clip[0]["reference"]) for pair in clip)
        assert not any(torch.equal(pair["target"], pair["reference"][:3]) for pair in clip)
    assert not torch.equal(clips[0][0]["reference"], clips[1][0]["reference"])


def test_validation_frames_are_spread_to_the_clips_end(
    clips: list[list[Pair]], tmp_path: Path
) -> None:
    pairs = Pairs(TrackedClips.load(tracked_file(tmp_path / "same.npz")), seed=0, count=1)
    last = torch.from_numpy(pairs.clips.image(PICTURES_A_CLIP - 1).transpose(2, 0, 1).copy())
    assert torch.equal(clips[0][-1]["target"], last)


def test_the_score_has_copy_and_mesh_beside_the_network(
    clips: list[list[Pair]], judged: tuple[Score, list[list[Tensor]]]
) -> None:
    score, rows = judged
    reference, target = (
        [[pair[name][:3].float() / 127.5 - 1 for pair in clip] for clip in clips]
        for name in ("reference", "target")
    )
    copy = np.mean(
        [
            np.mean([psnr(r, t) for r, t in zip(ours, theirs, strict=True)])
            for ours, theirs in zip(reference, target, strict=True)
        ]
    )
    assert score.copy == pytest.approx(copy)
    # A drawn face moves exactly as its mesh; an untrained network trusts the mesh by four fifths.
    assert score.mesh > score.copy + 1
    assert score.warped > score.copy
    assert np.isfinite(score.psnr)
    assert len(rows) == len(clips)
    assert all(picture.shape == (3, 256, 256) for row in rows for picture in row)


def test_a_row_shows_the_frame_that_differs_most(
    clips: list[list[Pair]], judged: tuple[Score, list[list[Tensor]]]
) -> None:
    _, rows = judged
    for row, clip in zip(rows, clips, strict=True):
        shown = [pair["target"].float() / 127.5 - 1 for pair in clip]
        worst = min(shown, key=lambda target: psnr(row[0], target))
        assert torch.equal(row[1], worst)


def test_a_network_that_shows_the_target_scores_highest(
    clips: list[list[Pair]], network: HeadGan, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter(clips)

    def perfect(*inputs: torch.Tensor, features: object = None) -> object:
        target = torch.stack([pair["target"] for pair in next(given)]).float() / 127.5 - 1
        return HeadGan.forward(network, *inputs)._replace(image=target)

    monkeypatch.setattr(network, "forward", perfect)
    score, _ = evaluate(network, clips)
    assert score.psnr > 90 > score.mesh
