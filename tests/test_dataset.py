"""Training pairs: the same for the same seed, and pictures and meshes changed alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.augmentation import Augmentation
from models.dataset import FAR_SHARE, HIDDEN_SHARE, OTHERWISE_SHARE, PHOTO_SHARE, Pairs, deafen
from models.face_parts import iris_of, mouth_of
from models.tracked import TrackedClips
from shared.errors import BadInputError
from shared.layers import Layers
from shared.pictures import Image
from tests.faces import PICTURES_A_CLIP, dot, tracked_file

IDENTITY = np.eye(2, 3)
SHAPES = {
    "reference": (7, 256, 256),
    "target": (3, 256, 256),
    "face": (3, 256, 256),
    "faces": (9, 256, 256),
    "displacement": (2, 256, 256),
    "judged": (1, 256, 256),
    "audio": (300,),
}

WITHIN = np.s_[1:-1, 1:-1]  # the reference has a soft border


def shown(pair: dict[str, torch.Tensor], name: str) -> Image:
    """Return a pair's target, or the picture among its reference's layers, RGB (256, 256, 3)."""
    picture: Image = pair[name][:3].numpy().transpose(1, 2, 0)
    return picture


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> TrackedClips:
    return TrackedClips.load(tracked_file(tmp_path_factory.mktemp("dataset") / "tracked.npz"))


@pytest.fixture(scope="module")
def pairs(clips: TrackedClips) -> Pairs:
    return Pairs(clips, seed=5, count=40)


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
    assert pair["judged"].dtype == torch.bool


def test_a_pair_has_the_sound_of_its_driving_frame(clips: TrackedClips) -> None:
    sounds = np.random.default_rng(0).integers(1, 256, (len(clips.image_rows), 300), np.uint8)
    pairs = Pairs(replace(clips, sounds=sounds), seed=5, count=40)
    pair = pairs.pair(0, 3, Augmentation.none())
    np.testing.assert_allclose(pair["audio"], sounds[3] / 255, atol=1e-6)
    photo = pairs.photo_pair(len(sounds) - 1, (0, 1), Augmentation.none())
    assert not photo["audio"].any()


def test_some_pairs_lose_their_sound_or_its_end() -> None:
    random, kinds = np.random.default_rng(1), {"whole": 0, "cut": 0, "silent": 0}
    for _ in range(400):
        audio = torch.ones(300)
        deafen(audio, random)
        steps = audio.view(15, 20)
        kept = int(steps.any(dim=1).sum())
        assert bool((steps[:kept] == 1).all())
        assert not steps[kept:].any()
        kinds["whole" if kept == 15 else "cut" if kept else "silent"] += 1
        assert kept == 0 or kept >= 10
    assert kinds["whole"] == pytest.approx(200, abs=40)
    assert kinds["cut"] == pytest.approx(100, abs=35)


def test_a_pair_depends_on_seed_and_number_alone(clips: TrackedClips, pairs: Pairs) -> None:
    other_run = Pairs(clips, seed=5, count=400)
    for index in (7, 3):  # in another order, from a run of another length
        for name, value in pairs[index].items():
            assert torch.equal(value, other_run[index][name]), name


def test_another_seed_or_number_is_another_pair(clips: TrackedClips, pairs: Pairs) -> None:
    other_seed = Pairs(clips, seed=6, count=40)
    assert not torch.equal(pairs[0]["target"], pairs[1]["target"])
    assert not torch.equal(pairs[0]["target"], other_seed[0]["target"])


def test_pictures_of_a_pair_are_two_of_the_same_clip(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[int, int]] = []
    bare = {"audio": torch.zeros(300), "face": torch.zeros(3, 8, 8)}
    monkeypatch.setattr(pairs, "pair", lambda *pair: taken.append(pair[:2]) or bare)
    monkeypatch.setattr(
        pairs, "photo_pair", lambda photo, motion, change: taken.append(motion) or bare
    )
    for index in range(40):
        pairs[index]
    clip = pairs.clips.clip[pairs.clips.image_rows]
    assert all(reference != driving for reference, driving in taken)
    assert all(clip[reference] == clip[driving] for reference, driving in taken)
    assert {int(clip[reference]) for reference, _ in taken} == {0, 1}  # 2 is a photograph


def test_hard_pairs_lie_farther_apart_or_are_open_otherwise(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pairs, "openings", np.array([[1, 1, 0.5], [0.9, 1, 0.5], [1, 1, 0.2], [0, 1, 0.5]])
    )
    places = np.array([0.0, 0.1, 0.3, 0.2])
    monkeypatch.setattr(pairs, "_apart", lambda one, other: abs(places[one] - places[other]))
    drawn = np.arange(4)
    far = pairs._driving(drawn, 0.0)
    otherwise = pairs._driving(drawn, FAR_SHARE)
    any_one = pairs._driving(drawn, FAR_SHARE + OTHERWISE_SHARE)
    assert (far, otherwise, any_one) == (2, 3, 1)


def test_a_pair_without_change_is_the_clips_own(pairs: Pairs) -> None:
    pair = pairs.pair(0, 3, Augmentation.none())
    assert pair["judged"].all()
    for name, index in (("reference", 0), ("target", 3)):
        np.testing.assert_array_equal(shown(pair, name)[WITHIN], pairs.clips.image(index)[WITHIN])


def test_the_reference_comes_in_layers(pairs: Pairs) -> None:
    layers = pairs.pair(0, 3, Augmentation.none())["reference"].numpy().transpose(1, 2, 0)
    expected = Layers.split(pairs.clips.image(0), pairs.clips.person(0))
    np.testing.assert_array_equal(layers, expected.stack())
    # A drawn face is brighter than its wall; nothing of it is left behind it.
    face = pairs.clips.person(0) == 255
    assert layers[face, :3].mean() > 80 > 60 > layers[face, 4:].max()


def test_faces_are_the_driving_frame_and_two_past(pairs: Pairs) -> None:
    # Past frames have no pictures: their mouths are told as the driving one's, or not at all.
    at = {i: pairs.pair(0, i, Augmentation.none(), told=False)["faces"] for i in range(4)}
    assert torch.equal(at[3][:3], pairs.pair(0, 3, Augmentation.none(), told=False)["faces"][:3])
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
    # Of the reference's mouth all is known, of the driving one six numbers.
    told, iris = (of(pair["face"][None])[0] > 0 for of in (mouth_of, iris_of))
    assert torch.equal(pair["face"][:2, ~iris[0]], pair["faces"][:2, ~iris[0]])
    assert torch.equal(pair["face"][2:][~told], pair["faces"][2:3][~told])
    assert (pair["face"][2:][told] - pair["faces"][2:3][told]).abs().mean() < 0.1
    np.testing.assert_array_equal(shown(pair, "reference")[WITHIN], shown(pair, "target")[WITHIN])


def test_both_pictures_of_a_pair_are_changed_alike(pairs: Pairs) -> None:
    augmentation = Augmentation.draw(np.random.default_rng(4))
    pair = pairs.pair(0, 3, augmentation)
    for name, index in (("reference", 0), ("target", 3)):
        expected = augmentation.image(pairs.clips.image(index))
        np.testing.assert_array_equal(shown(pair, name)[WITHIN], expected[WITHIN])
    person = pair["reference"][3].numpy()
    np.testing.assert_array_equal(person, augmentation.place(pairs.clips.person(0)))
    assert not torch.equal(pair["face"], pairs.pair(0, 3, Augmentation.none())["face"])


def test_validation_pairs_are_not_augmented(
    clips: TrackedClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Pairs(clips, seed=1, count=5, augment=False)
    drawn_changes: list[Augmentation] = []
    for name in ("pair", "photo_pair"):
        monkeypatch.setattr(plain, name, lambda *pair: drawn_changes.append(pair[2]))
    for index in range(5):
        plain[index]
    assert all(not change.flip and change.gamma == 1 for change in drawn_changes)
    assert all(np.array_equal(change.matrix, IDENTITY) for change in drawn_changes)


def test_a_share_of_pairs_are_photographs(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    photos: list[int] = []
    other: list[int] = []
    bare = {"audio": torch.zeros(300), "face": torch.zeros(3, 8, 8)}
    monkeypatch.setattr(pairs, "pair", lambda *pair: other.append(pair[0]) or bare)
    monkeypatch.setattr(pairs, "photo_pair", lambda photo, *rest: photos.append(photo) or bare)
    for index in range(200):
        pairs[index]
    assert set(photos) == {2 * PICTURES_A_CLIP}
    assert len(photos) / 200 == pytest.approx(PHOTO_SHARE, abs=0.1)


def test_of_some_pairs_the_irises_count_as_hidden(clips: TrackedClips) -> None:
    pairs = Pairs(clips, seed=5, count=60)
    hidden = [not iris_of(pairs[index]["face"][None]).any() for index in range(60)]
    assert sum(hidden) / 60 == pytest.approx(HIDDEN_SHARE, abs=0.15)
    judged = Pairs(clips, seed=5, count=60, augment=False)
    visible = [bool(iris_of(judged[index]["face"][None]).any()) for index in range(20)]
    assert sum(visible) > 15  # some faces of chance close their eyes


def test_a_photograph_is_the_target_and_itself_moved_the_reference(pairs: Pairs) -> None:
    photo = pairs.photos[0]
    pair = pairs.photo_pair(photo, (0, 3), Augmentation.none())
    assert {name: tuple(value.shape) for name, value in pair.items()} == SHAPES
    target, reference = shown(pair, "target"), shown(pair, "reference")
    np.testing.assert_array_equal(target, pairs.clips.image(photo))
    assert torch.equal(pair["faces"][:3], pair["faces"][3:6])
    face = pair["faces"][:3].any(dim=0)
    assert pair["judged"][0][face].all()  # and little beside the face
    assert face.sum() < pair["judged"].sum() < 1.5 * face.sum()
    # The displacement leads from the photograph's nose to the moved one's.
    before, after = dot(target), dot(reference)
    column, row = (before * 256).astype(int)
    assert np.linalg.norm(after - before) > 0.01
    np.testing.assert_allclose(
        pair["displacement"][:, row, column].numpy(), after - before, atol=0.01
    )


def test_behind_a_moved_photograph_the_background_stands(pairs: Pairs) -> None:
    photo = pairs.photos[0]
    pair = pairs.photo_pair(photo, (0, 3), Augmentation.none())
    target, reference = shown(pair, "target"), shown(pair, "reference")
    person = pair["reference"][3].numpy()
    assert (person != pairs.clips.person(photo)).mean() > 0.01  # it has moved
    stands = (person == 0) & (pairs.clips.person(photo) == 0)
    away = np.abs(reference[stands].astype(int) - target[stands]).max(axis=1)
    # Only the edge, which is guessed, differs; the displacement reaches far beyond it.
    assert (away > 8).mean() < 0.01
    assert (pair["displacement"].abs().amax(dim=0).numpy()[stands] > 0.01).mean() > 0.1


def test_a_file_without_clips_is_refused(tmp_path: Path) -> None:
    photographs = tracked_file(tmp_path / "photos.npz", clips=0, photographs=2)
    with pytest.raises(BadInputError, match="no clip"):
        Pairs(TrackedClips.load(photographs), seed=1, count=1)


def test_a_pair_s_displacement_tells_of_hair_and_shoulders(pairs: Pairs) -> None:
    alone = pairs.pair(0, 3, Augmentation.none(), swayed=False)
    swayed = pairs.pair(0, 3, Augmentation.none())
    changed = (swayed["displacement"] - alone["displacement"]).abs().amax(dim=0)
    assert changed.max() > 1e-4
    assert changed[swayed["faces"][:3].amax(dim=0) > 0].max() == 0
    assert torch.equal(swayed["faces"], alone["faces"])


def test_a_pair_s_face_image_tells_of_the_openings_of_the_face(pairs: Pairs) -> None:
    told, untold = (pairs.pair(0, 3, Augmentation.none(), told=told) for told in (True, False))
    changed = (told["faces"] - untold["faces"]).abs()
    mouth, iris = (of(told["faces"][None, :3])[0, 0] > 0 for of in (mouth_of, iris_of))
    assert changed[2][mouth].max() > 0.01
    assert changed[:2, iris].max() > 0.01
    assert changed[:3, ~(mouth | iris)].max() == 0
    assert torch.equal(told["displacement"], untold["displacement"])
    assert torch.equal(told["face"], untold["face"])  # the reference's mouth is in its picture
