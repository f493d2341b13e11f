"""Reading files of tracked clips."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.tracked import TrackedClips
from shared.errors import BadInputError
from tests.faces import PICTURES_A_CLIP, dot, tracked_file


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tracked_file(tmp_path_factory.mktemp("tracked") / "tracked.npz", clips=2)


def test_rows_are_clip_after_clip(path: Path) -> None:
    clips = TrackedClips.load(path)
    assert clips.names == ["clip-0", "clip-1", "photo-2"]
    rows = 2 * PICTURES_A_CLIP + 1
    assert clips.points.shape == (rows, 478, 3)
    assert clips.points.dtype == np.float32
    assert clips.clip.tolist() == [0] * PICTURES_A_CLIP + [1] * PICTURES_A_CLIP + [2]
    assert clips.times.tolist() == [*range(PICTURES_A_CLIP)] * 2 + [0]
    assert clips.image_rows.tolist() == [*range(rows)]


def test_every_picture_can_be_had(path: Path) -> None:
    clips = TrackedClips.load(path)
    pictures = [clips.image(index) for index in range(len(clips.image_rows))]
    assert all(picture.shape == (256, 256, 3) for picture in pictures)
    assert all(picture.dtype == np.uint8 for picture in pictures)
    assert all((one != other).any() for one, other in pairwise(pictures))


def test_every_picture_has_its_person(path: Path) -> None:
    clips = TrackedClips.load(path)
    for index in range(len(clips.image_rows)):
        person = clips.person(index)
        assert person.shape == (256, 256)
        assert person.dtype == np.uint8
        # The drawn face's nose is in the middle of the one and a bright dot in the other.
        column, row = (dot(clips.image(index)) * 256).astype(int)
        assert person[row, column] == 255
        assert 0.05 < person.mean() / 255 < 0.5
        assert not person[0].any()


def test_files_from_before_there_was_sound_are_silent(path: Path, tmp_path: Path) -> None:
    with np.load(path) as data:
        older = {name: data[name] for name in data.files if name != "sounds"}
    np.savez(tmp_path / "older.npz", **older)
    clips = TrackedClips.load(tmp_path / "older.npz")
    assert not clips.sound(0).any()
    assert clips.sound(0).shape == (300,)
    assert len(clips.sounds) == len(clips.image_rows)


def refused(path: Path) -> None:
    with pytest.raises(BadInputError, match=r"not a file of tracked clips .*models\.prepare"):
        TrackedClips.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.npz")


def test_points_of_another_version_are_refused(path: Path, tmp_path: Path) -> None:
    with np.load(path) as data:
        np.savez(tmp_path / "older.npz", **{**data, "points": data["points"][:, :468]})
    with pytest.raises(BadInputError, match=r"points of another version: run .*models\.prepare"):
        TrackedClips.load(tmp_path / "older.npz")


@pytest.mark.parametrize("part", ["sways", "mouths", "irises"])
def test_a_detail_of_another_version_is_refused(path: Path, tmp_path: Path, part: str) -> None:
    with np.load(path) as data:
        np.savez(tmp_path / "older.npz", **{**data, part: data[part][:, :1]})
    with pytest.raises(BadInputError, match=rf"{part} of another version: run .*models\.prepare"):
        TrackedClips.load(tmp_path / "older.npz")


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"text", npy()], ids=["empty", "text", "one array"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(data)
    refused(path)


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", params=np.zeros(35))
    refused(tmp_path / "other.npz")


def test_a_file_from_before_people_were_found_is_refused(path: Path, tmp_path: Path) -> None:
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files if not name.startswith("person")}
    np.savez(tmp_path / "older.npz", **arrays)
    refused(tmp_path / "older.npz")


def test_a_truncated_file_is_refused(path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.npz"
    cut.write_bytes(path.read_bytes()[:5000])
    refused(cut)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    names = np.array([{"a": 1}], object)
    np.savez(tmp_path / "pickled.npz", names=names, lengths=np.zeros(1, np.int32))
    refused(tmp_path / "pickled.npz")
