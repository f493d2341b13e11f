"""Where a face image shows mouth and eyes, and what it tells of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.face_parts import (
    IRIS_ALL,
    IRIS_FROM,
    SEEN_ALL,
    SEEN_FROM,
    SEEN_STILL,
    SEEN_TO,
    iris_level,
    iris_of,
    iris_size,
    mouth_level,
    mouth_of,
    mouth_size,
    tinted,
    unseen_iris,
    unseen_mouth,
    white_level,
    white_of,
    without_eyes,
)
from shared.face_image import WHITE, eye_colour, mouth_colour
from shared.metrics import LUMA

GREY_MOUTH = torch.from_numpy(mouth_colour(0.5))


def nearer(face: torch.Tensor) -> torch.Tensor:
    """Return the middle of a face image (1, 3, 64, 64) at twice its size."""
    return face[..., 16:48, 16:48].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def test_the_mouths_colour_is_found_and_no_other() -> None:
    mouths = [tuple(mouth_colour(light)) for light in (0.0, 0.4, 1.0)]
    others = [(0, 0, 0), (0.05, 0.05, 1), (0.5, 0.7, 0.9), (0, 0.5, 1), (0, 0, 0.3)]
    face = torch.tensor([*mouths, *others]).T[None, :, None]
    assert mouth_of(face).flatten().tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    told = mouth_level(face).flatten()[:3]
    torch.testing.assert_close(told, torch.tensor([-1.0, -0.2, 1.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("share", "unseen"),
    [
        (0, 1),
        (SEEN_FROM, 1),
        ((SEEN_FROM + SEEN_ALL) / 2, 0.5),
        (SEEN_ALL, 0),
        (1, 0),
        (SEEN_STILL, 0),
        ((SEEN_STILL + SEEN_TO) / 2, 0.5),
        (SEEN_TO, 1),
        (4, 1),
    ],
)
def test_a_mouth_counts_as_seen_when_the_reference_s_is_open_alike(
    share: float, unseen: float
) -> None:
    face = torch.full((1, 3, 64, 64), 0.5)
    face[0, :, 20:30, 20:40] = GREY_MOUTH[:, None, None]
    found = unseen_mouth(face, share * mouth_size(face))
    assert float(found[0, 0, 25, 25]) == pytest.approx(unseen, abs=1e-3)
    assert found.sum() == pytest.approx(200 * unseen, abs=1)


def test_a_mouth_of_a_face_that_comes_nearer_is_not_painted_for_that() -> None:
    far = torch.zeros(1, 3, 64, 64)
    far[..., 24:40, 24:40] = 0.5
    far[0, :, 30:34, 28:36] = GREY_MOUTH[:, None, None]
    near = nearer(far)
    assert float(mouth_size(near)) == pytest.approx(float(mouth_size(far)), rel=0.01)
    assert not unseen_mouth(near, mouth_size(far)).any()


def test_a_closed_mouth_is_not_unseen() -> None:
    assert not unseen_mouth(torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 1, 1, 1)).any()


def test_the_irises_colour_is_found_and_no_other() -> None:
    colours = [(0.1, -0.1), (0.5, 0.0), (0.8, 0.2)]
    irises = [tuple(eye_colour(np.array(colour, np.float32))) for colour in colours]
    others = [(0, 0, 0), tuple(mouth_colour(0.5)), (0.05, 0.05, 0.05), (0.9, 0.2, 0.4)]
    face = torch.tensor([*irises, *others, (WHITE, 0, 0)], dtype=torch.float32).T[None, :, None]
    assert iris_of(face).flatten().tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert white_of(face).flatten().tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    told = (iris_level(face)[0, :, 0, :3].T + 1) / 2
    expected = [[luma - blue / 2, luma, luma + blue / 2] for luma, blue in colours]
    torch.testing.assert_close(told, torch.tensor(expected), atol=1e-5, rtol=0)
    plain = without_eyes(face.repeat(1, 3, 1, 1))
    assert not plain[..., :3].any()
    assert not plain[..., -1].any()
    assert torch.equal(plain[:, :3, :, 3:-1], face[..., 3:-1])


@pytest.mark.parametrize(
    ("share", "unseen"),
    [(0, 1), (IRIS_FROM, 1), ((IRIS_FROM + IRIS_ALL) / 2, 0.5), (IRIS_ALL, 0), (1, 0), (4, 0)],
)
def test_irises_count_as_seen_where_the_reference_shows_most_of_them(
    share: float, unseen: float
) -> None:
    face = torch.full((1, 3, 64, 64), 0.5)
    face[0, 2, 20:30, 20:40] = 0
    found = unseen_iris(face, share * iris_size(face))
    assert float(found[0, 0, 25, 25]) == pytest.approx(unseen, abs=1e-3)
    assert found.sum() == pytest.approx(200 * unseen, abs=1)


def test_irises_of_a_face_that_comes_nearer_are_not_hidden_by_that() -> None:
    far = torch.zeros(1, 3, 64, 64)
    far[..., 16:48, 16:48] = 0.5
    far[:, 2, 28:34, 28:34] = 0
    near = nearer(far)
    assert float(iris_size(near)) == pytest.approx(float(iris_size(far)), rel=0.01)
    assert not unseen_iris(near, iris_size(far)).any()


def test_whites_have_half_of_the_irises_hue() -> None:
    face = torch.zeros(1, 3, 8, 8)
    colour = torch.from_numpy(eye_colour(np.array([0.5, 0.2], np.float32)))
    face[0, :, 2:4, 2:4] = colour[:, None, None]
    red, _, blue = white_level(face).flatten().tolist()
    assert blue - red == pytest.approx(0.2, abs=0.01)  # of [-1, 1]; the irises' is 0.4


def test_a_tint_changes_the_hue_and_not_the_light() -> None:
    torch.manual_seed(0)
    image, colour = torch.rand(1, 3, 8, 8) - 0.5, torch.tensor([0.1, 0.2, 0.5])[None, :, None, None]
    where = torch.zeros(1, 1, 8, 8)
    where[..., :4] = 1
    made = tinted(image, colour, where)
    assert torch.equal(made[..., 4:], image[..., 4:])
    luma = torch.tensor(LUMA)[None, :, None, None]
    torch.testing.assert_close((made * luma).sum(1), (image * luma).sum(1))
    hue = made[..., :4] - made[:, 1:2, :, :4]
    torch.testing.assert_close(hue, (colour - 0.2).expand_as(hue), atol=1e-5, rtol=0)
