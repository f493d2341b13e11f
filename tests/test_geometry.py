"""What the mesh alone makes of pairs, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
import torch

from benchmarks.geometry import COLUMNS, chosen, main, moved
from models.dataset import Pairs
from models.tracked import TrackedClips
from tests.faces import packed_file, tracked_file

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    path = tracked_file(tmp_path_factory.mktemp("geometry") / "tracked.npz")
    return Pairs(TrackedClips.load(path), seed=1, count=1, augment=False)


def test_a_picture_moved_onto_itself_is_itself(pairs: Pairs) -> None:
    same = int(pairs.images[0][0])
    reference, driving, warped, layers, swayed = moved(pairs, same, same)
    # But for its soft border, which the reference alone has.
    assert torch.equal(reference[:, 1:-1, 1:-1], driving[:, 1:-1, 1:-1])
    assert (warped - driving)[:, 2:-2, 2:-2].abs().max() < 0.02
    # Of the person's soft edge half is the backdrop, which is guessed there.
    assert (layers - driving).abs().mean() < 0.02
    assert (swayed - layers).abs().mean() < 0.01


def test_validation_pairs_start_at_the_first_picture(pairs: Pairs) -> None:
    for reference, driving in chosen(pairs, "val", 2):
        own = next(own for own in pairs.images if reference in own)
        assert reference == own[0]
        assert driving in own[1:]


def test_the_same_pairs_are_chosen_every_time(pairs: Pairs) -> None:
    assert list(chosen(pairs, "train", 3)) == list(chosen(pairs, "train", 3))
    assert all(reference != driving for reference, driving in chosen(pairs, "train", 3))


def test_the_command_writes_figures_and_pictures(tmp_path: Path) -> None:
    main(data=packed_file(tmp_path / "pairs.npz"), out=tmp_path, pairs=1)
    result = json.loads((tmp_path / "geometry.json").read_text())
    assert set(result) == {"train", "val", "run"}
    for part in ("train", "val"):
        for figures in result[part].values():
            assert set(figures) == set(COLUMNS)
            # Drawn faces move as their mesh says: warping them must pay.
            assert figures["layers"] > figures["copy"]
    sheet = cv2.imread(str(tmp_path / "geometry.png"))
    assert sheet is not None
    assert sheet.shape[1] == 5 * 256
