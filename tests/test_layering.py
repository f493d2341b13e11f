"""A reference in layers, moved."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.layering import ABOVE, BESIDE, enlarge, lay
from models.spade import resize, warp
from tests.layered import body, layered


def laid(reference: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    return lay(reference, enlarge(reference), flow)


def to_the_right(pixels: int) -> Tensor:
    """Return the flow of a person who moves, (1, 2, 64, 64)."""
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 0] = -pixels / 64
    return flow


def test_the_person_moves_over_a_backdrop_that_stands() -> None:
    reference = layered(body())
    picture, seen = laid(reference, to_the_right(8))
    moved = torch.zeros(64, 64)
    moved[30:, 28:48] = 1
    torch.testing.assert_close(seen[0, 0], moved)
    person = picture[..., 30:, 28:48]
    torch.testing.assert_close(person, reference[:, :3, 30:, 20:40], atol=1e-4, rtol=0)
    beside = moved == 0
    torch.testing.assert_close(picture[..., beside], reference[:, 4:, beside], atol=1e-5, rtol=0)


def test_the_backdrop_that_comes_to_light_is_told_apart() -> None:
    _, seen = laid(layered(body()), to_the_right(8))
    uncovered = torch.zeros(64, 64)
    uncovered[30:, 20:28] = 1  # hidden before, and the person has left
    torch.testing.assert_close(seen[0, 1], uncovered)
    _, still = laid(layered(body()), to_the_right(0))
    assert still[:, 1].abs().max() < 1e-5


def test_a_soft_edge_is_mixed_and_shares_stay_in_range() -> None:
    reference = layered(torch.full((64, 64), 0.25))
    picture, seen = laid(reference, to_the_right(0))
    expected = 0.25 * reference[:, :3] + 0.75 * reference[:, 4:]
    torch.testing.assert_close(picture, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[:, 1], torch.full((1, 64, 64), 0.75 * 0.25))
    assert 0 <= seen.min() <= seen.max() <= 1


def test_where_all_is_the_person_the_whole_picture_is_warped() -> None:
    reference = layered(torch.ones(64, 64))
    flow = resize(torch.randn(1, 2, 8, 8) * 0.1, 64)
    picture, seen = laid(reference, flow)
    within = seen[0, 0] > 1 - 1e-5
    assert within[16:-16, 16:-16].all()
    warped = warp(reference[:, :3], flow)
    # As the reference's own pixels would be, but sharper between them.
    away = (picture - warped)[..., within]
    assert 0.01 < away.abs().mean() < 0.1
    assert picture[..., within].std() > 1.02 * warped[..., within].std()


def test_who_was_cut_off_ends_soon_above_and_later_beside_and_goes_on_below() -> None:
    reference, down = layered(torch.ones(64, 64)), torch.zeros(1, 2, 64, 64)
    down[:, 1] = -32 / 64
    person = laid(reference, down)[1][0, 0]
    assert (person[32:] == 1).all()
    assert 0 < person[30].mean() < 1  # two rows above the picture
    assert not person[: 32 - math.ceil(64 * ABOVE)].any()
    aside = laid(reference, to_the_right(32))[1][0, 0]
    assert (aside[:, 32:] == 1).all()
    assert (aside[:, :32].diff(dim=1) >= 0).all()
    assert not aside[:, : 32 - math.ceil(64 * BESIDE)].any()
    assert (laid(reference, -down)[1][0, 0] == 1).all()


def test_a_flow_of_another_size_ends_a_person_alike() -> None:
    reference = layered(torch.ones(64, 64))
    small, large = (laid(reference, to_the_right(32)[..., :n, :n])[1] for n in (16, 64))
    torch.testing.assert_close(small, large, atol=1e-5, rtol=0)


def test_where_nobody_is_the_backdrop_stands() -> None:
    reference = layered(torch.zeros(64, 64))
    picture, seen = laid(reference, to_the_right(8))
    torch.testing.assert_close(picture, reference[:, 4:])
    assert not seen.any()


def test_an_enlarged_picture_holds_its_own_pixels() -> None:
    reference = layered(body())
    photo = enlarge(reference)
    assert photo.shape == (1, 4, 127, 127)
    torch.testing.assert_close(photo[..., ::2, ::2], reference[:, :4], atol=1e-5, rtol=0)
    assert -1 <= photo.min() <= photo.max() <= 1
