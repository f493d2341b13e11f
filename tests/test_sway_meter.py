"""What moves beside the face is measured, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sending import send
from shared.detail import SWAY_LIMIT, SWAY_SIZE
from shared.face_image import FaceRenderer
from shared.layers import Layers, Mask
from shared.mesh_warp import mesh_warp
from shared.metrics import psnr
from shared.params import Floats, Params
from shared.person import PersonFinder
from shared.pictures import Image
from shared.sway import still, sway_field
from shared.sway_meter import SwayMeter
from tests.faces import face_model, neutral, person, textured

SIDE = 256


@dataclass(frozen=True)
class Scene:
    """A person with texture, all over the picture, and how their shoulders moved."""

    identity: Floats
    home: Params
    key: Image
    sway: Floats
    frame: Image

    def meter(self, seen: int = 255) -> SwayMeter:
        mask: Mask = np.full((SIDE, SIDE), seen, np.uint8)
        return SwayMeter(face_model(), self.identity, self.key, mask, self.home)


@pytest.fixture(scope="module")
def scene() -> Scene:
    random = np.random.default_rng(3)
    identity, home = person(random), neutral()
    picture = textured(random, SIDE)
    renderer = FaceRenderer(face_model(), SIDE)
    shape = renderer.pose(identity, home)
    sway = random.normal(0, 0.006, SWAY_SIZE).astype(np.float32)
    moved = mesh_warp(picture, renderer.draw(shape, shape).swayed(sway))
    return Scene(identity, home, picture, sway, moved)


def off(found: Floats, true: Floats) -> float:
    """Return how far two sways lie apart, RMS over the crop, pixels."""
    return float(SIDE * np.sqrt(np.square(sway_field(found - true, 64)).sum(axis=2).mean()))


def test_motion_beside_the_face_is_found(scene: Scene) -> None:
    meter = scene.meter()
    found = [meter.measure(scene.frame, scene.home) for _ in range(3)]
    assert off(found[0], scene.sway) < 0.4 * off(still(), scene.sway)
    assert off(found[2], scene.sway) < 0.2 * off(still(), scene.sway)


def test_what_did_not_move_has_no_sway(scene: Scene) -> None:
    assert off(scene.meter().measure(scene.key, scene.home), still()) < 0.1


def test_where_nobody_is_nothing_is_measured(scene: Scene) -> None:
    assert off(scene.meter(seen=0).measure(scene.frame, scene.home), still()) < 0.01


def test_a_sway_that_is_seen_no_more_fades(scene: Scene) -> None:
    meter = scene.meter()
    for _ in range(3):
        meter.measure(scene.frame, scene.home)
    blank = np.zeros_like(scene.frame)
    left = [off(meter.measure(blank, scene.home), still()) for _ in range(20)]
    assert left[-1] < 0.4 * off(scene.sway, still())


def test_what_comes_before_the_hair_and_looks_like_it_does_not_carry_it_off(scene: Scene) -> None:
    hidden = scene.frame.copy()
    hidden[150:, :90] = scene.frame[150:, 40:130]
    meter = scene.meter()
    found = [meter.measure(hidden, scene.home) for _ in range(3)]
    assert off(found[2], scene.sway) < 1.5 * off(still(), scene.sway)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_nothing_stays_in_range(scene: Scene, level: int) -> None:
    found = scene.meter().measure(np.full_like(scene.frame, level), scene.home)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= SWAY_LIMIT


def test_a_real_person_is_nearer_with_their_sway(demo_clip: Path) -> None:
    sent = list(send(demo_clip, face_model(), 60))
    first, renderer = sent[0], FaceRenderer(face_model(), SIDE)
    home = renderer.pose(first.identity, first.fitted)
    with PersonFinder() as finder:
        layers = Layers.split(first.picture, finder.find(first.picture))
    with_it, without = [], []
    for frame in sent[20:]:
        drawn = renderer.draw(renderer.pose(first.identity, frame.received), home)
        with_it.append(psnr(frame.picture, layers.move(drawn.swayed(frame.detail.sway))[0]))
        without.append(psnr(frame.picture, layers.move(drawn.displacement)[0]))
    assert np.mean(with_it) > np.mean(without) + 0.3
