"""Prepared data, packed: the same pairs from a tenth of the bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from models.augmentation import Augmentation
from models.dataset import Pairs
from models.pack import needed_rows, pack
from models.prepare import Tracked, save
from models.tracked import TrackedClips
from shared.errors import BadInputError
from tests.faces import drawn, face_model, outline, packed_file, person, posed

WRONG_MODEL = "0" * 64


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_file(tmp_path_factory.mktemp("packed") / "pairs.npz")


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> TrackedClips:
    """Return two clips of 9 frames; of each, frames 1 and 6 have a picture."""
    random, items = np.random.default_rng(0), []
    for number in range(2):
        item, identity = Tracked(f"clip-{number}"), person(random)
        for row in range(9):
            params = posed(random)
            if row in (1, 6):
                sound = np.full(300, 10 * number + row, np.uint8)
                item.add_picture(drawn(identity, params), outline(identity, params), sound)
            item.points.append(face_model().points(identity, params))
            item.times.append(row)
        items.append(item)
    path = tmp_path_factory.mktemp("sparse") / "tracked.npz"
    save(path, items)
    return TrackedClips.load(path)


def test_frames_with_a_picture_and_two_before_are_kept(sparse: TrackedClips) -> None:
    own = [0, 1, 4, 5, 6]
    assert needed_rows(sparse).tolist() == [*own, *(9 + row for row in own)]


def test_pictures_find_their_rows_again(sparse: TrackedClips) -> None:
    with Progress(disable=True) as progress:
        arrays = pack(sparse, face_model(), progress)
    assert arrays["image_rows"].tolist() == [1, 4, 6, 9]
    assert arrays["lengths"].tolist() == [5, 5]
    assert arrays["times"].tolist() == [0, 1, 4, 5, 6] * 2
    assert arrays["sounds"][:, 7].tolist() == [1, 6, 11, 16]


@pytest.mark.parametrize("part", ["train", "val"])
def test_points_and_pictures_come_back(packed: Path, part: str) -> None:
    before = TrackedClips.load(packed.parent / f"tracked-{part}.npz")
    after = TrackedClips.load(packed, part)
    assert after.names == before.names
    np.testing.assert_array_equal(after.clip, before.clip)
    # The crop's side is about three eye distances: half a percent of one of those.
    np.testing.assert_allclose(after.points, before.points, atol=0.0015)
    for index in range(len(before.image_rows)):
        difference = np.abs(after.image(index).astype(int) - before.image(index))
        assert difference.mean() < 3
        np.testing.assert_array_equal(after.person(index), before.person(index))


def test_pairs_are_nearly_the_same(packed: Path) -> None:
    whole, small = (
        Pairs(clips, 0, 1)
        for clips in (
            TrackedClips.load(packed.parent / "tracked-train.npz"),
            TrackedClips.load(packed, "train"),
        )
    )
    one, other = (pairs.pair(0, 4, Augmentation.none()) for pairs in (whole, small))
    moved = (one["displacement"] - other["displacement"]).abs().mean()
    assert moved < 0.1 * one["displacement"].abs().mean()


def test_another_face_models_numbers_are_refused(packed: Path, tmp_path: Path) -> None:
    with np.load(packed) as data:
        arrays = {name: data[name] for name in data.files}
    arrays["train/face_model"] = np.array(WRONG_MODEL)
    np.savez(tmp_path / "foreign.npz", **arrays)
    with pytest.raises(BadInputError, match=r"another face model.*models\.pack"):
        TrackedClips.load(tmp_path / "foreign.npz", "train")


def test_a_part_that_is_not_there_is_refused(packed: Path) -> None:
    with pytest.raises(BadInputError, match="not a file of tracked clips"):
        TrackedClips.load(packed, "test")
