"""From one photograph and 35 floats to a picture: what reaches the engine, and what comes back."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest

from models.engine import DISPLACEMENT, FACES, Engine, Floats, Reference
from models.engine.on_onnxruntime import load_cpu
from models.engine.weights import find_weights
from models.prepare import clip_frames
from receiver.generator import Generator
from shared.crop import Crop
from shared.detail import MOUTH_SIZE, SWAY_WAVES, Detail
from shared.errors import BadInputError
from shared.face_image import IRIS_LOW, MOUTH_DARK
from shared.layers import Layers
from shared.params import Camera, Params
from shared.person import PersonFinder
from shared.tracker import Image, Tracker
from tests.faces import face_model

WITHIN = np.s_[1:-1, 1:-1]  # the reference has a soft border


class Recorder:
    """Stands in for an engine: keeps what it was given, shows the reference picture."""

    def __init__(self) -> None:
        self.encoded: list[tuple[Floats, Floats]] = []
        self.generated: list[tuple[Floats, Floats]] = []
        self.answer: Floats | None = None

    def encode(self, layers: Floats, face: Floats) -> Reference:
        self.encoded.append((layers, face))
        return Reference(layers, {})

    def inputs(self) -> tuple[Floats, Floats]:
        return np.empty(FACES, np.float32), np.empty(DISPLACEMENT, np.float32)

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        self.generated.append((faces, displacement))
        return (reference.layers[:, :3] if self.answer is None else self.answer).copy()


@pytest.fixture(scope="module")
def photograph(demo_clip: Path) -> Image:
    return next(clip_frames(demo_clip))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def generator(recorder: Recorder) -> Generator:
    engine: Any = recorder
    return Generator(engine, face_model())


def levels(layers: Floats) -> Floats:
    """Return what reached the engine as a picture's levels, (256, 256, 7)."""
    return (layers[0].transpose(1, 2, 0) + 1) * np.float32(127.5)


def shifted(params: Params, right: float) -> Params:
    camera = params.camera
    translation = camera.translation + np.array([right, 0, 0], np.float32)
    return Params(params.expression, Camera(camera.log_scale, camera.rotation, translation))


def test_the_reference_is_the_crop_around_the_head(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    picture = generator.set_reference(photograph)
    with Tracker() as tracker:
        points = tracker.track(photograph)
    assert points is not None
    crop = Crop.around(points, photograph.shape[1], photograph.shape[0])
    np.testing.assert_array_equal(picture, crop.cut(photograph))
    layers, face = recorder.encoded[0]
    assert layers.shape == (1, 7, 256, 256)
    assert face.shape == (1, 3, 256, 256)
    assert layers.dtype == face.dtype == np.float32
    np.testing.assert_allclose(levels(layers)[..., :3][WITHIN], picture[WITHIN], atol=1e-3)
    # The 35 floats kept of it stand for the tracked points.
    placed = face_model().points(
        face_model().calibrate(crop.to_units(points)), generator.reference_params
    )
    assert np.abs(placed - crop.to_units(points)).max() < 0.01


def test_what_is_wrong_with_the_photograph_is_known(
    generator: Generator, photograph: Image
) -> None:
    assert generator.flaws == []
    generator.set_reference(photograph)  # she looks down
    (flaw,) = generator.flaws
    assert flaw.startswith("an eye is closed")


def test_the_reference_comes_in_layers(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    picture = generator.set_reference(photograph)
    with PersonFinder() as finder:
        expected = Layers.split(picture, finder.find(picture))
    np.testing.assert_allclose(levels(recorder.encoded[0][0]), expected.stack(), atol=1e-3)
    assert 0.5 < expected.person.mean() / 255 < 0.95


@pytest.mark.parametrize("missed", [1.0, 0.5])
def test_where_the_person_is_not_found_all_of_the_picture_moves(
    generator: Generator,
    recorder: Recorder,
    photograph: Image,
    monkeypatch: pytest.MonkeyPatch,
    missed: float,
) -> None:
    found = np.full((256, 256), 255, np.uint8)
    found[: int(255 * missed) + 1] = 0  # of the face nothing, or not the upper part
    monkeypatch.setattr(PersonFinder, "find", lambda *_: found)
    picture = generator.set_reference(photograph)
    layers = levels(recorder.encoded[0][0])
    np.testing.assert_allclose(layers[..., 3], 255)
    np.testing.assert_allclose(layers[..., 4:], picture, atol=1e-3)


@pytest.mark.parametrize("level", [0, 255])
def test_a_segmenter_that_sees_nobody_or_everybody_stops_no_head(
    photograph: Image, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    everywhere = np.full((256, 256), level, np.uint8)
    monkeypatch.setattr(PersonFinder, "find", lambda *_: everywhere)
    generator = Generator(Engine.load(), face_model())
    picture = generator.set_reference(photograph)
    still = generator.generate(generator.reference_params)
    moved = generator.generate(shifted(generator.reference_params, right=0.08))
    middle = (slice(64, 192), slice(64, 192))
    assert np.abs(still.astype(int) - picture)[middle].mean() < 12
    followed = np.roll(picture, round(0.08 * 256), axis=1)[middle].astype(int)
    near, far = (np.abs(moved[middle] - other).mean() for other in (followed, picture[middle]))
    assert near < 0.7 * far


def test_any_thread_can_set_the_reference(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    pictures = [generator.set_reference(photograph)]
    for _ in range(2):
        thread = Thread(target=lambda: pictures.append(generator.set_reference(photograph)))
        thread.start()
        thread.join(timeout=60)
    assert len(pictures) == 3
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
    first, *others = (layers for layers, _ in recorder.encoded)
    assert all(np.array_equal(layers, first) for layers in others)


def test_a_head_crop_is_used_whole(generator: Generator, photograph: Image) -> None:
    picture = generator.set_reference(photograph)
    np.testing.assert_array_equal(generator.set_reference(picture), picture)
    larger = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    again = generator.set_reference(np.asarray(larger, np.uint8))
    assert np.abs(again.astype(int) - picture).mean() < 3


def test_the_reference_frame_is_not_displaced(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    picture = generator.set_reference(photograph)
    rebuilt = generator.generate(generator.reference_params)
    faces, displacement = recorder.generated[0]
    assert not displacement.any()
    skin = (faces[:, :3] > 0).all(axis=1)
    at_home = recorder.encoded[0][1].transpose(0, 2, 3, 1)
    for past in np.split(faces.transpose(0, 2, 3, 1), 3, axis=3):
        np.testing.assert_array_equal(past[skin], at_home[skin])
    np.testing.assert_array_equal(rebuilt[WITHIN], picture[WITHIN])
    assert rebuilt.dtype == np.uint8


def test_displacement_points_back_to_the_reference(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    generator.set_reference(photograph)
    generator.generate(shifted(generator.reference_params, right=0.05))
    faces, displacement = recorder.generated[0]
    assert displacement.shape == (1, 2, 256, 256)
    on_face = displacement[0][:, faces[0, 0] > 0]
    np.testing.assert_allclose(on_face[0], -0.05, atol=1e-5)
    np.testing.assert_allclose(on_face[1], 0, atol=1e-5)


def test_face_images_come_current_first_then_two_past(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    generator.set_reference(photograph)
    for number in range(5):
        generator.generate(shifted(generator.reference_params, right=0.01 * number))
    faces = [given for given, _ in recorder.generated]
    assert all(given.shape == (1, 9, 256, 256) for given in faces)
    own = [given[:, :3] for given in faces]
    assert all(np.abs(a - b).max() > 0.1 for a, b in pairwise(own))
    for number, given in enumerate(faces):
        past = [own[max(0, number - back)] for back in range(3)]
        np.testing.assert_array_equal(given, np.concatenate(past, axis=1))


def test_another_reference_forgets_the_frames_before(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    generator.set_reference(photograph)
    generator.generate(shifted(generator.reference_params, right=0.1))
    generator.set_reference(photograph)
    generator.generate(generator.reference_params)
    faces, _ = recorder.generated[-1]
    np.testing.assert_array_equal(faces[:, :3], faces[:, 3:6])
    np.testing.assert_array_equal(faces[:, :3], faces[:, 6:])


def test_lanes_paint_at_the_same_time_what_one_alone_paints(photograph: Image) -> None:
    generator = Generator(load_cpu(find_weights("lite")), face_model())
    generator.set_reference(photograph)
    moved = [shifted(generator.reference_params, right=0.01 * number) for number in range(9)]
    alone = [generator.generate(params) for params in moved]
    generator.set_reference(photograph)
    together: list[Image] = []
    with ThreadPoolExecutor(2) as lanes:
        under_way: deque[Future[Image]] = deque()
        for params in moved:
            # What a call does: the next frame is drawn while the one before is painted.
            under_way.append(
                lanes.submit(generator.paint, *generator.render(params, Detail.none()))
            )
            if len(under_way) == 2:
                together.append(under_way.popleft().result())
        together += [one.result() for one in under_way]
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))
    assert not any(np.shares_memory(*pair) for pair in pairwise(together))


def test_levels_are_rounded_and_bounded(
    generator: Generator, recorder: Recorder, photograph: Image
) -> None:
    generator.set_reference(photograph)
    recorder.answer = np.zeros((1, 3, 256, 256), np.float32)
    recorder.answer[0, :, 0, :4] = [-1.2, -1.0, 1.0, 1.5]
    recorder.answer[0, 1, 1, 0] = 100.4 / 127.5 - 1
    recorder.answer[0, 1, 1, 1] = 100.6 / 127.5 - 1
    rebuilt = generator.generate(generator.reference_params)
    assert rebuilt[0, :4, 0].tolist() == [0, 0, 255, 255]
    assert rebuilt[1, :2, 1].tolist() == [100, 101]


def test_the_largest_face_is_the_reference(generator: Generator, photograph: Image) -> None:
    height, width = photograph.shape[:2]
    both = np.full((height, 2 * width, 3), 110, np.uint8)
    both[: height // 2, : width // 2] = cv2.resize(photograph, (width // 2, height // 2))
    both[:, width:] = photograph
    alone = generator.set_reference(photograph)
    taken = generator.set_reference(both)
    assert np.abs(taken.astype(int) - alone).mean() < 10


def test_no_face_is_refused_and_the_old_reference_stays(
    generator: Generator, photograph: Image
) -> None:
    picture = generator.set_reference(photograph)
    with pytest.raises(BadInputError, match="no face in the reference picture: use one where"):
        generator.set_reference(np.full((480, 640, 3), 90, np.uint8))
    again = generator.generate(generator.reference_params)
    np.testing.assert_array_equal(again[WITHIN], picture[WITHIN])


def test_without_a_reference_nothing_is_generated(generator: Generator) -> None:
    params = Params.from_vector(np.zeros(35))
    with pytest.raises(RuntimeError, match="set_reference comes first"):
        generator.generate(params)
    with pytest.raises(RuntimeError, match="set_reference comes first"):
        _ = generator.reference_params


def test_with_the_shipped_network_a_picture_comes_back(photograph: Image) -> None:
    generator = Generator(Engine.load(), face_model())
    generator.set_reference(photograph)
    still = generator.generate(generator.reference_params)
    assert still.shape == (256, 256, 3)
    assert still.dtype == np.uint8
    moved = generator.generate(shifted(generator.reference_params, right=0.08))
    assert np.abs(moved.astype(int) - still).mean() > 1


def test_shoulders_move_by_their_sway_and_the_face_does_not(photograph: Image) -> None:
    generator = Generator(Engine.load(), face_model())
    generator.set_reference(photograph)
    params, none = generator.reference_params, Detail.none()
    sway = none.sway.copy()
    sway[SWAY_WAVES**2] = 0.05  # everything down
    faces, displacement = (part.copy() for part in generator.render(params, none))
    same, moved = generator.render(params, replace(none, sway=sway))
    np.testing.assert_array_equal(same[:, :3], faces[:, :3])
    face = faces[0, :3].max(axis=0) > 0
    np.testing.assert_allclose(moved[0][:, face], displacement[0][:, face], atol=1e-6)
    # Far from the face all of it is there.
    np.testing.assert_allclose((moved - displacement)[0, 1, -1, [0, -1]], 0.05, atol=1e-6)
    np.testing.assert_allclose((moved - displacement)[0, 0], 0, atol=1e-6)


def test_the_mouth_that_is_told_is_drawn_as_light_as_the_photograph(photograph: Image) -> None:
    """Teeth of a caller in a dark room are not those of one by daylight."""
    seen = []
    for picture in (photograph, (photograph * 0.5).astype(np.uint8)):
        generator = Generator(Engine.load(), face_model())
        generator.set_reference(picture)
        opened = gaping(generator.reference_params)
        for level in (-1.0, 1.0):
            detail = replace(Detail.none(), mouth=np.full(MOUTH_SIZE, level, np.float32))
            faces, _ = generator.render(opened, detail)
            mouth = (faces[0, 2] > 0.5) & (faces[0, 0] < 0.02)
            seen.append(float(faces[0, 2][mouth].mean()) - MOUTH_DARK)
    low, high, dim_low, dim_high = seen
    assert high > low + 0.05
    assert dim_high == pytest.approx(high / 2, rel=0.2)
    assert dim_low == pytest.approx(low / 2, rel=0.4)


def test_the_irises_that_are_told_are_drawn_as_light_as_the_photograph(photograph: Image) -> None:
    for picture, share in ((photograph, 1.0), ((photograph * 0.5).astype(np.uint8), 0.5)):
        generator = Generator(Engine.load(), face_model())
        generator.set_reference(picture)
        seen = []
        for number in (0.0, 2.0):
            detail = replace(Detail.none(), iris=np.array([number, 0], np.float32))
            faces, _ = generator.render(generator.reference_params, detail)
            iris = (faces[0, 0] > 0.02) & (faces[0, 1] > 0.02) & (faces[0, 2] == 0)
            assert 10 < iris.sum() < 2000
            seen.append(float(faces[0, 0][iris].mean()) - IRIS_LOW)
        if share == 1:
            bright = seen
    assert bright[1] > bright[0] + 0.05
    np.testing.assert_allclose(seen, np.multiply(bright, 0.5), rtol=0.1)


def gaping(params: Params) -> Params:
    """Return a face with its mouth open."""
    gap = (face_model().expression[:, 14] - face_model().expression[:, 13])[:, 1]
    opened = params.expression + (gap * 0.3 / (gap @ gap)).astype(np.float32)
    return Params(opened, params.camera)
