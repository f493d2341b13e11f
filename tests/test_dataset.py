"""Training pairs: the same for the same seed, and pictures and meshes changed alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.dataset import Augmentation, Pairs
from shared.face_image import FaceRenderer, FaceShape
from shared.params import Floats
from shared.tracker import Image
from tests.faces import NOSE, PICTURES_A_CLIP, dot, drawn, face_model, person, posed, tracked_file

IDENTITY = np.eye(2, 3)
SHAPES = {
    "reference": (3, 256, 256),
    "target": (3, 256, 256),
    "face": (3, 256, 256),
    "faces": (9, 256, 256),
    "displacement": (2, 256, 256),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tracked_file(tmp_path_factory.mktemp("dataset") / "tracked.npz")


@pytest.fixture(scope="module")
def pairs(path: Path) -> Pairs:
    return Pairs(path, seed=5, count=40)


@pytest.fixture(scope="module")
def face() -> tuple[Image, FaceShape]:
    random = np.random.default_rng(2)
    identity, params = person(random), posed(random)
    return drawn(identity, params), FaceRenderer(face_model()).pose(identity, params)


def change(
    matrix: Floats | None = None, flip: bool = False, gain: float = 1, gamma: float = 1
) -> Augmentation:
    return Augmentation(
        IDENTITY if matrix is None else np.array(matrix, float), flip, np.full(3, gain), gamma
    )


def test_pairs_have_their_shapes_types_and_ranges(pairs: Pairs) -> None:
    assert len(pairs) == 40
    pair = pairs[0]
    assert {name: tuple(value.shape) for name, value in pair.items()} == SHAPES
    assert pair["reference"].dtype == pair["target"].dtype == torch.uint8
    for name in ("face", "faces", "displacement"):
        assert pair[name].dtype == torch.float32
    for name in ("face", "faces"):
        assert pair[name].min() >= 0
        assert 0.5 < pair[name].max() <= 1 + 1e-5
    assert 0 < pair["displacement"].abs().max() < 1


def test_a_pair_depends_on_seed_and_number_alone(path: Path, pairs: Pairs) -> None:
    other_run = Pairs(path, seed=5, count=400)
    for index in (7, 3):  # in another order, from a run of another length
        for name, value in pairs[index].items():
            assert torch.equal(value, other_run[index][name]), name


def test_another_seed_or_number_is_another_pair(path: Path, pairs: Pairs) -> None:
    other_seed = Pairs(path, seed=6, count=40)
    assert not torch.equal(pairs[0]["target"], pairs[1]["target"])
    assert not torch.equal(pairs[0]["target"], other_seed[0]["target"])


def test_pictures_of_a_pair_are_two_of_the_same_clip(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(pairs, "pair", lambda *pair: taken.append(pair[:2]))
    for index in range(40):
        pairs[index]
    clip = pairs.clips.clip[pairs.clips.image_rows]
    assert all(reference != driving for reference, driving in taken)
    assert all(clip[reference] == clip[driving] for reference, driving in taken)
    assert {int(clip[reference]) for reference, _ in taken} == {0, 1}  # 2 is a photograph


def test_a_pair_without_change_is_the_clips_own(pairs: Pairs) -> None:
    pair = pairs.pair(0, 3, Augmentation.none())
    for name, index in (("reference", 0), ("target", 3)):
        np.testing.assert_array_equal(
            pair[name].numpy().transpose(1, 2, 0), pairs.clips.image(index)
        )


def test_faces_are_the_driving_frame_and_two_past(pairs: Pairs) -> None:
    at = {i: pairs.pair(0, i, Augmentation.none())["faces"] for i in range(4)}
    assert torch.equal(at[3][:3], pairs.pair(0, 3, Augmentation.none())["faces"][:3])
    assert torch.equal(at[3][3:6], at[2][:3])
    assert torch.equal(at[3][6:], at[1][:3])
    # Before the clip's start the first frame stands in.
    assert torch.equal(at[0][3:6], at[0][:3])
    assert torch.equal(at[1][6:], at[0][:3])


def test_the_past_does_not_reach_into_the_clip_before(pairs: Pairs) -> None:
    first = PICTURES_A_CLIP  # of the second clip
    faces = pairs.pair(first + 1, first, Augmentation.none())["faces"]
    assert torch.equal(faces[:3], faces[3:6])
    assert torch.equal(faces[:3], faces[6:])


def test_a_frame_against_itself_is_not_displaced(pairs: Pairs) -> None:
    pair = pairs.pair(2, 2, Augmentation.none())
    assert not pair["displacement"].any()
    assert torch.equal(pair["face"], pair["faces"][:3])
    assert torch.equal(pair["reference"], pair["target"])


def test_the_augmentation_that_changes_nothing(face: tuple[Image, FaceShape]) -> None:
    picture, shape = face
    none = Augmentation.none()
    every_level = np.arange(256, dtype=np.uint8).repeat(256 * 3).reshape(256, 256, 3)
    np.testing.assert_array_equal(none.image(picture), picture)
    np.testing.assert_array_equal(none.image(every_level), every_level)
    np.testing.assert_array_equal(none.shape(shape).points, shape.points)


def test_flipping_mirrors_the_picture(face: tuple[Image, FaceShape]) -> None:
    picture, _ = face
    np.testing.assert_array_equal(change(flip=True).image(picture), picture[:, ::-1])


def test_flipping_twice_is_nothing(face: tuple[Image, FaceShape]) -> None:
    _, shape = face
    flip = change(flip=True)
    np.testing.assert_allclose(flip.shape(flip.shape(shape)).points, shape.points, atol=1e-6)


def nose_is_on_the_dot(augmentation: Augmentation, face: tuple[Image, FaceShape]) -> float:
    """Return how far, in pixels, the changed mesh's nose is from the changed picture's."""
    picture, shape = face
    nose = augmentation.shape(shape).points[NOSE, :2]
    return float(np.linalg.norm(dot(augmentation.image(picture)) - nose) * 256)


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation.none(),
        change(flip=True),
        change([[1, 0, 0.06], [0, 1, -0.04]]),
        change([[1.2, 0, -0.1], [0, 1.2, -0.1]]),
        change([[0.98, -0.2, 0.1], [0.2, 0.98, -0.1]]),
        change([[0.9, 0.15, 0.02], [-0.15, 0.9, 0.06]], flip=True),
    ],
    ids=["none", "flip", "shift", "zoom", "turn", "all"],
)
def test_picture_and_mesh_are_changed_alike(
    augmentation: Augmentation, face: tuple[Image, FaceShape]
) -> None:
    assert nose_is_on_the_dot(augmentation, face) < 0.6


def test_a_zoom_keeps_to_pixel_centres() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    zoomed = change([[2, 0, -0.5], [0, 2, -0.5]]).image(picture)
    expected = cv2.resize(picture[64:192, 64:192], (256, 256), interpolation=cv2.INTER_LINEAR)
    inside = slice(4, -4)  # beyond them the two repeat different borders
    assert np.abs(zoomed.astype(int) - expected)[inside, inside].max() <= 3


@pytest.mark.parametrize("seed", range(6))
def test_a_random_change_keeps_picture_and_mesh_together(
    seed: int, face: tuple[Image, FaceShape]
) -> None:
    random = np.random.default_rng(seed)
    augmentation = Augmentation.draw(random)
    geometry = Augmentation(augmentation.matrix, augmentation.flip, np.ones(3), 1.0)
    assert nose_is_on_the_dot(geometry, face) < 0.6
    # Still a head in the picture, as the right way up as heads are.
    points = augmentation.shape(face[1]).points[:468]
    assert (np.abs(points[:, :2].mean(axis=0) - 0.5) < 0.35).all()
    assert points[10, 1] < points[152, 1]


def test_flips_come_half_of_the_time() -> None:
    random = np.random.default_rng(0)
    flips = [Augmentation.draw(random).flip for _ in range(400)]
    assert 0.4 < np.mean(flips) < 0.6


def test_depth_grows_with_a_zoom(face: tuple[Image, FaceShape]) -> None:
    _, shape = face
    points = change([[1.5, 0, 0], [0, 1.5, 0]]).shape(shape).points
    np.testing.assert_allclose(points, shape.points * 1.5, atol=1e-5)


def test_gain_and_gamma_change_colours_only(face: tuple[Image, FaceShape]) -> None:
    picture = np.full((256, 256, 3), 100, np.uint8)
    bright = Augmentation(IDENTITY, False, np.array([1.5, 1.0, 3.0]), 1.0)
    assert bright.image(picture)[0, 0].tolist() == [150, 100, 255]
    dark = change(gamma=2).image(picture)[0, 0, 0]
    assert int(dark) == pytest.approx(255 * (100 / 255) ** 2, abs=1)
    np.testing.assert_array_equal(bright.shape(face[1]).points, face[1].points)


def test_both_pictures_of_a_pair_are_changed_alike(pairs: Pairs) -> None:
    augmentation = Augmentation.draw(np.random.default_rng(4))
    pair = pairs.pair(0, 3, augmentation)
    for name, index in (("reference", 0), ("target", 3)):
        expected = augmentation.image(pairs.clips.image(index))
        np.testing.assert_array_equal(pair[name].numpy().transpose(1, 2, 0), expected)
    assert not torch.equal(pair["face"], pairs.pair(0, 3, Augmentation.none())["face"])


def test_validation_pairs_are_not_augmented(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Pairs(path, seed=1, count=5, augment=False)
    drawn_changes = []
    monkeypatch.setattr(plain, "pair", lambda *pair: drawn_changes.append(pair[2]))
    for index in range(5):
        plain[index]
    assert all(not change.flip and change.gamma == 1 for change in drawn_changes)
    assert all(np.array_equal(change.matrix, IDENTITY) for change in drawn_changes)
