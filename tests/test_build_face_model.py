"""Learning the bases from tracked points of faces that were made of known ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import build_face_model
from models.build_face_model import (
    MAX_FRAMES_PER_CLIP,
    Learner,
    align_all,
    basis_of,
    main,
    sample_rows,
)
from models.canonical_mesh import CanonicalMesh
from models.prepare import Tracked, save
from models.tracked import TrackedClips
from shared.errors import BadInputError
from shared.eyes import SKIN_COUNT
from shared.face_model import FaceModel, eye_distance
from shared.params import EXPRESSION_SIZE
from tests.faces import face_model, person, posed

FRAMES = 12
CLIPS = 10


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(3)
    items = []
    for number in range(CLIPS):
        identity = 3 * person(random)
        points = [face_model().points(identity, posed(random)) for _ in range(FRAMES)]
        items.append(Tracked(f"clip-{number}", points, [*range(FRAMES)], {0: b"-"}))
    photograph = [face_model().points(person(random), posed(random))]
    items.append(Tracked("photo", photograph, [0], {0: b"-"}))
    path = tmp_path_factory.mktemp("learning") / "tracked.npz"
    save(path, items)
    return path


def test_a_basis_has_the_directions_of_most_variance_first() -> None:
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.normal(0, 1, (6, 6)))[0]
    deviations = np.array([5.0, 3.0, 1.0, 0.1, 0.1, 0.1])
    rows = random.normal(0, 1, (4000, 6)) * deviations @ directions
    basis = basis_of(rows, 3)
    assert basis.shape == (3, 6)
    np.testing.assert_allclose(np.linalg.norm(basis, axis=1), deviations[:3], rtol=0.06)
    agreement = np.abs(
        (basis / np.linalg.norm(basis, axis=1, keepdims=True) * directions[:3]).sum(1)
    )
    assert (agreement > 0.99).all()


def test_weights_say_which_rows_matter() -> None:
    rows = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    basis = basis_of(rows, 2, weights=np.array([1.0, 1, 9, 9]))
    np.testing.assert_allclose(np.abs(basis), [[0, np.sqrt(0.9)], [np.sqrt(0.1), 0]], atol=1e-9)


def test_every_frame_is_registered_to_its_target() -> None:
    random = np.random.default_rng(1)
    neutral = face_model().mean
    frames = np.stack(
        [face_model().project(neutral, posed(random, turn=0.4).camera) for _ in range(4)]
    )
    aligned = align_all(frames, np.broadcast_to(neutral, frames.shape))
    np.testing.assert_allclose(aligned, np.broadcast_to(neutral, frames.shape), atol=1e-4)


def test_rows_are_spread_over_each_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_face_model, "MAX_FRAMES_PER_CLIP", 5)
    still = np.zeros((478, 3), np.float32)
    items = [
        Tracked("long", [still] * 21, [*range(21)], {0: b"-"}),
        Tracked("short", [still] * 3, [*range(3)], {0: b"-"}),
    ]
    save(tmp_path / "clips.npz", items)
    rows = sample_rows(TrackedClips.load(tmp_path / "clips.npz"))
    assert rows.tolist() == [0, 5, 10, 15, 20, 21, 22, 23]
    assert MAX_FRAMES_PER_CLIP > FRAMES


def test_a_round_gives_a_centred_mean_and_separate_bases(tracked: Path) -> None:
    learner = Learner(TrackedClips.load(tracked), np.float64(face_model().mean))
    identity, expression = learner.round()
    np.testing.assert_allclose(learner.mean.mean(axis=0), 0, atol=1e-9)
    assert eye_distance(learner.mean) == pytest.approx(1)
    assert expression.shape == (EXPRESSION_SIZE, 478, 3)
    # What looks like an expression is one: identity is what remains beside it.
    identity, expression = ((b * learner.roots).reshape(len(b), -1) for b in (identity, expression))
    real = identity[np.linalg.norm(identity, axis=1) > 1e-6]
    unit = real / np.linalg.norm(real, axis=1, keepdims=True)
    other = expression / np.linalg.norm(expression, axis=1, keepdims=True)
    assert len(real) > 0
    assert np.abs(unit @ other.T).max() < 1e-6
    sizes = np.linalg.norm(expression, axis=1)
    assert (np.diff(sizes) <= 1e-9).all()


def test_the_command_writes_a_model_that_fits_its_faces(
    tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = face_model()
    mesh = CanonicalMesh(7 * np.float64(shipped.mean[:SKIN_COUNT]), np.int64(shipped.triangles))
    monkeypatch.setattr(CanonicalMesh, "load", lambda _: mesh)
    monkeypatch.setattr(build_face_model, "ALIGN_ROUNDS", 2)
    out = tmp_path / "model.safetensors"
    main(tracked, tmp_path / "package.tgz", out)
    model = FaceModel.load(out)
    np.testing.assert_array_equal(model.triangles, shipped.triangles)
    np.testing.assert_allclose(model.mean, shipped.mean, atol=0.05)
    assert model.fingerprint != shipped.fingerprint
    clips = TrackedClips.load(tracked)
    for clip in range(3):
        points = clips.points[clips.clip == clip]
        identity = model.calibrate(points[0])
        for frame in points:
            off = model.points(identity, model.fit(frame, identity)) - frame
            assert np.sqrt(np.square(off).mean()) < 0.01 * eye_distance(frame)


def test_what_is_no_tracked_file_or_package_is_refused(tracked: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is not @mediapipe/face_mesh"):
        main(tracked, tmp_path / "none.tgz", tmp_path / "model.safetensors")
    assert not (tmp_path / "model.safetensors").exists()
