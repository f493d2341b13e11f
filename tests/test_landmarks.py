"""FaceMesh with a gradient."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models import landmarks
from models.landmarks import ROOM, SIDE, LandmarkDistance, Landmarks, _compute, _squares
from shared.errors import BadInputError
from tests.shown import Shown

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shown(demo_clip: Path) -> Shown:
    return Shown.of(demo_clip)


@pytest.fixture(scope="module")
def distance() -> LandmarkDistance:
    return LandmarkDistance()


def test_points_are_where_mediapipe_finds_them(shown: Shown, distance: LandmarkDistance) -> None:
    points = shown.points[:468, :2]
    low, high = points.amin(dim=0), points.amax(dim=0)
    half = ROOM * float((high - low).max())
    centre = low + high - 1  # in [-1, 1]
    where = torch.tensor([[[half, 0, centre[0]], [0, half, centre[1]]]])
    grid = F.affine_grid(where, [1, 3, SIDE, SIDE], align_corners=False)
    square = F.grid_sample(shown.image, grid, align_corners=False)
    found = distance.landmarks(square)[0, :, :2]
    wanted = (points * 2 - 1 - centre) / half / 2 + 0.5
    assert float((found - wanted).abs().mean()) < 0.01  # of the square: two pixels


def test_a_batch_is_its_faces_one_by_one(shown: Shown) -> None:
    landmarks = Landmarks()
    images = F.interpolate(torch.cat([shown.image, shown.image.flip(3)]), (SIDE, SIDE))
    one_by_one = torch.cat([landmarks(image[None]) for image in images])
    torch.testing.assert_close(landmarks(images), one_by_one, atol=1e-4, rtol=0)


def test_the_same_picture_is_no_distance_and_a_moved_face_is(
    shown: Shown, distance: LandmarkDistance
) -> None:
    moved = shown.image.roll(6, dims=3)
    assert float(distance(shown.image, shown.image, shown.face)) == 0
    assert float(distance(moved, shown.image, shown.face)) > 0.5


def test_the_distance_pulls_at_the_rebuilt_picture(
    shown: Shown, distance: LandmarkDistance
) -> None:
    image = shown.image.roll(6, dims=3).requires_grad_()
    distance(image, shown.image, shown.face).backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    assert float(image.grad.abs().sum()) > 0
    assert not any(own.requires_grad for own in distance.parameters())


def test_a_face_that_is_not_drawn_is_looked_for_in_the_whole_picture(shown: Shown) -> None:
    nothing = torch.zeros(2, 1, 256, 256, dtype=torch.bool)
    assert torch.equal(_squares(nothing), torch.eye(3)[:2].expand(2, 2, 3))


def test_without_mediapipe_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks.util, "find_spec", lambda _: None)
    with pytest.raises(BadInputError, match=r"mediapipe is not installed.*--no-landmarks"):
        Landmarks()


def test_an_operation_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="Gather"):
        _compute("Gather", [torch.zeros(1)], {}, constant=False)
