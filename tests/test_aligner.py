"""Fits put right by the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sending import send
from shared.aligner import Aligner
from shared.face_image import FaceRenderer
from shared.lips import OPENING
from shared.mesh_warp import mesh_warp
from shared.metrics import psnr
from shared.openings import openings
from shared.params import EXPRESSION_LIMIT, EXPRESSION_SIZE, Camera, Floats, Params
from shared.pictures import Image
from tests.faces import face_model, neutral, person, textured

SIDE = 256


@dataclass(frozen=True)
class Scene:
    """A face with texture, its key picture, and a frame of it in another pose."""

    identity: Floats
    home: Params
    key: Image
    true: Params
    frame: Image

    def aligner(self) -> Aligner:
        return Aligner(face_model(), self.identity, self.key, self.home)

    def off(self, params: Params) -> float:
        """Return how far a fit lies from the true one, RMS over the points, pixels."""
        points = [face_model().points(self.identity, own)[:468, :2] for own in (params, self.true)]
        return float(SIDE * np.sqrt(np.square(points[0] - points[1]).sum(axis=1).mean()))


@pytest.fixture(scope="module")
def scene() -> Scene:
    random = np.random.default_rng(3)
    identity, home = person(random), neutral()
    picture = textured(random, SIDE)
    true = shaken(home, random, turn=0.06, shift=0.02, expression=0.3)
    renderer = FaceRenderer(face_model(), SIDE)
    drawn = renderer.draw(renderer.pose(identity, true), renderer.pose(identity, home))
    return Scene(identity, home, picture, true, mesh_warp(picture, drawn.displacement))


def shaken(
    params: Params, random: np.random.Generator, turn: float, shift: float, expression: float
) -> Params:
    camera = params.camera
    moved = np.append(random.normal(0, shift, 2), 0)
    return Params(
        (params.expression + random.normal(0, expression, EXPRESSION_SIZE)).astype(np.float32),
        Camera(
            camera.log_scale + float(random.normal(0, shift)),
            (camera.rotation + random.normal(0, turn, 3)).astype(np.float32),
            (camera.translation + moved).astype(np.float32),
        ),
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_tracker_s_error_is_taken_back(scene: Scene, seed: int) -> None:
    erring = shaken(scene.true, np.random.default_rng(seed), 0.02, 0.004, 0.2)
    assert scene.off(scene.aligner().align(scene.frame, erring)) < 0.5 * scene.off(erring)


def test_a_fit_that_is_right_stays(scene: Scene) -> None:
    assert scene.off(scene.aligner().align(scene.frame, scene.true)) < 0.3


@pytest.mark.parametrize("light", [0.7, 1.15])
def test_another_light_does_not_matter(scene: Scene, light: float) -> None:
    erring = shaken(scene.true, np.random.default_rng(0), 0.02, 0.004, 0.2)
    lit = np.clip(scene.frame * light, 0, 255).astype(np.uint8)
    assert scene.off(scene.aligner().align(lit, erring)) < 0.6 * scene.off(erring)


def test_a_hand_before_the_face_does_not_carry_it_off(scene: Scene) -> None:
    hidden = scene.frame.copy()
    hidden[110:200, 60:130] = [200, 150, 120]
    seeds = map(np.random.default_rng, range(6))
    erring = [shaken(scene.true, random, 0.02, 0.004, 0.2) for random in seeds]
    aligner = scene.aligner()
    after = [scene.off(aligner.align(hidden, params)) for params in erring]
    assert np.mean(after) < np.mean([scene.off(params) for params in erring])


@pytest.mark.parametrize("level", [0, 128])
def test_a_picture_without_a_face_leaves_the_fit_as_it_is(scene: Scene, level: int) -> None:
    erring = shaken(scene.true, np.random.default_rng(0), 0.02, 0.004, 0.2)
    blank = np.full_like(scene.frame, level)
    aligned = scene.aligner().align(blank, erring)
    assert abs(scene.off(aligned) - scene.off(erring)) < 1
    assert np.isfinite(aligned.to_vector()).all()


def test_another_picture_moves_the_face_no_more_than_trackers_err(scene: Scene) -> None:
    aligned = scene.aligner().align(scene.frame[::-1, ::-1].copy(), scene.true)
    assert scene.off(aligned) < 4


def test_eyes_and_mouth_stay_as_far_open_as_they_were_tracked(scene: Scene) -> None:
    closed = Params(scene.true.expression + np.float32(0.5), scene.true.camera)
    aligned = scene.aligner().align(scene.frame, closed)
    before, after = (face_model().points(scene.identity, own) for own in (closed, aligned))
    np.testing.assert_allclose(*openings(np.stack([before, after])), atol=0.03)


def test_lips_stay_nearer_to_where_they_were_tracked_than_the_skin(scene: Scene) -> None:
    camera = scene.true.camera
    away = (camera.translation + np.array([0.008, 0, 0])).astype(np.float32)
    aside = Params(scene.true.expression, Camera(camera.log_scale, camera.rotation, away))
    aligned = scene.aligner().align(scene.frame, aside)
    before, after = (face_model().points(scene.identity, own)[:468] for own in (aside, aligned))
    moved = np.linalg.norm((after - before)[:, :2], axis=1)
    assert moved[list(OPENING)].mean() < 0.95 * np.delete(moved, list(OPENING)).mean()


def test_no_correction_leaves_the_range_of_expressions(scene: Scene) -> None:
    expression = np.full(EXPRESSION_SIZE, EXPRESSION_LIMIT, np.float32)
    for sign in (-1, 1):
        aligned = scene.aligner().align(scene.frame, Params(sign * expression, scene.true.camera))
        Params.from_vector(aligned.to_vector())


def test_points_move_as_their_fit_does(scene: Scene) -> None:
    aligner, model = scene.aligner(), face_model()
    erring = shaken(scene.true, np.random.default_rng(0), 0.02, 0.004, 0.2)
    points = model.points(scene.identity, erring)
    corrected = aligner.correct(scene.frame, points)
    aligned = aligner.align(scene.frame, model.fit(points, scene.identity))
    np.testing.assert_allclose(corrected, model.points(scene.identity, aligned), atol=0.003)


def test_a_real_face_moved_by_its_aligned_fit_is_nearer_to_the_frame(demo_clip: Path) -> None:
    sent = list(send(demo_clip, face_model(), 40))
    first, renderer = sent[0], FaceRenderer(face_model(), SIDE)
    home = renderer.pose(first.identity, first.fitted)

    def nearness(params: Params, picture: Image) -> float:
        drawn = renderer.draw(renderer.pose(first.identity, params), home)
        return psnr(picture, mesh_warp(first.picture, drawn.displacement))

    tracked, aligned = (
        np.mean([nearness(getattr(frame, name), frame.picture) for frame in sent[10:]])
        for name in ("tracked", "fitted")
    )
    assert aligned > tracked + 0.3
