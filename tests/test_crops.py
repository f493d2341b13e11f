"""Squares around parts of the face."""

from __future__ import annotations

import pytest
import torch

from models.crops import EYES, MOUTH, corners_around, cut, part_of


def mask_at(*places: tuple[int, int]) -> torch.Tensor:
    masks = torch.zeros(len(places), 1, 64, 64, dtype=torch.bool)
    for mask, (row, column) in zip(masks, places, strict=True):
        mask[0, row - 1 : row + 2, column - 1 : column + 2] = True
    return masks


def test_a_square_has_the_mask_in_its_middle() -> None:
    assert corners_around(mask_at((30, 40), (20, 25)), 16) == [(22, 32), (12, 17)]


@pytest.mark.parametrize(("place", "corner"), [((1, 1), (0, 0)), ((62, 62), (48, 48))])
def test_it_stays_inside(place: tuple[int, int], corner: tuple[int, int]) -> None:
    assert corners_around(mask_at(place), 16) == [corner]


def test_without_a_mask_it_is_the_pictures_middle() -> None:
    assert corners_around(torch.zeros(1, 1, 64, 64, dtype=torch.bool), 16) == [(24, 24)]


def test_each_picture_is_cut_at_its_own_corner() -> None:
    images = torch.arange(2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
    squares = cut(images, [(0, 5), (40, 2)], 16)
    assert torch.equal(squares[0], images[0, :, :16, 5:21])
    assert torch.equal(squares[1], images[1, :, 40:56, 2:18])


@pytest.mark.parametrize(
    ("part", "colour"), [(MOUTH, (0.5, 0.7)), (EYES[0], (0.3, 0.35)), (EYES[1], (0.7, 0.35))]
)
def test_a_part_is_found_by_its_colours(
    part: tuple[float, float, float, float], colour: tuple[float, float]
) -> None:
    faces = torch.zeros(1, 9, 8, 8)
    faces[:, :2, 2:4, 3:6] = torch.tensor(colour)[None, :, None, None]
    assert not part_of(faces, part).any()  # of an iris: without z
    faces[:, 2, 2:4, 3:6] = 0.5
    found = part_of(faces, part)
    assert found.shape == (1, 1, 8, 8)
    assert found[0, 0, 2:4, 3:6].all()
    assert found.sum() == 6
