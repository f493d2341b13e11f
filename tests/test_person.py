"""Telling a person from what is behind, on frames of a real clip."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from models.prepare import clip_frames
from shared.crop import Crop
from shared.layers import Mask
from shared.person import PersonFinder
from shared.pictures import Image
from shared.tracker import Points, Tracker


@pytest.fixture(scope="module")
def frames(demo_clip: Path) -> list[Image]:
    return list(islice(clip_frames(demo_clip), 3))


@pytest.fixture(scope="module")
def seen(frames: list[Image]) -> tuple[Image, Points]:
    """Return the crop around a head and the points of the face in it, in crop sides."""
    frame = frames[0]
    with Tracker() as tracker:
        points = tracker.track(frame)
    assert points is not None
    crop = Crop.around(points, frame.shape[1], frame.shape[0])
    return crop.cut(frame), crop.to_units(points)


@pytest.fixture
def finder() -> Iterator[PersonFinder]:
    with PersonFinder() as finder:
        yield finder


def test_a_face_is_of_the_person_and_the_wall_beside_is_not(
    finder: PersonFinder, seen: tuple[Image, Points]
) -> None:
    picture, points = seen
    person = finder.find(picture)
    assert person.shape == picture.shape[:2]
    assert person.dtype == np.uint8
    columns, rows = (points[:, :2] * len(picture)).astype(int).clip(0, len(picture) - 1).T
    assert person[rows, columns].mean() > 250
    assert person[:40, :40].max() == person[:40, -20:].max() == 0  # both upper corners are wall
    assert 0.5 < person.mean() / 255 < 0.95


def test_most_pixels_are_wholly_one_or_the_other(
    finder: PersonFinder, seen: tuple[Image, Points]
) -> None:
    person = finder.find(seen[0])
    assert np.isin(person, [0, 255]).mean() > 0.95


def test_a_picture_of_any_shape_and_a_view_of_one_will_do(
    finder: PersonFinder, frames: list[Image]
) -> None:
    frame = frames[0]
    wide = finder.find(frame)
    assert wide.shape == frame.shape[:2]
    mirrored = finder.find(frame[:, ::-1])
    assert np.abs(mirrored[:, ::-1].astype(int) - wide).mean() < 8


def test_nobody_is_found_where_nobody_is(finder: PersonFinder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for picture in (np.full_like(noise, 90), noise):
        assert finder.find(picture).mean() < 3


def test_pictures_before_do_not_count(finder: PersonFinder, seen: tuple[Image, Points]) -> None:
    alone = finder.find(seen[0])
    finder.find(np.full_like(seen[0], 90))
    np.testing.assert_array_equal(finder.find(seen[0]), alone)


def test_the_picture_stays_as_it_was(finder: PersonFinder, seen: tuple[Image, Points]) -> None:
    before = seen[0].copy()
    finder.find(seen[0])
    np.testing.assert_array_equal(seen[0], before)


def test_each_thread_can_have_its_own(seen: tuple[Image, Points]) -> None:
    found: list[Mask] = []

    def find() -> None:
        with PersonFinder() as finder:
            found.append(finder.find(seen[0]))

    threads = [Thread(target=find) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 3
    assert all(np.array_equal(mask, found[0]) for mask in found)
