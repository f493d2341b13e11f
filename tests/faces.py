"""Faces for tests: posed at random, drawn as pictures, and kept as files of tracked clips."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from models import pack
from models.prepare import Tracked, save
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel
from shared.layers import Mask
from shared.params import EXPRESSION_SIZE, Camera, Floats, Params
from shared.tracker import Image

NOSE = 1  # MediaPipe's vertex at the tip of the nose: seen in every pose of these
PICTURES_A_CLIP = 6


@lru_cache
def face_model() -> FaceModel:
    return FaceModel.load()


def neutral(log_scale: float = -1.5) -> Params:
    camera = Camera(log_scale, np.zeros(3, np.float32), np.array([0.5, 0.55, 0], np.float32))
    return Params(np.zeros(EXPRESSION_SIZE, np.float32), camera)


def posed(random: np.random.Generator, turn: float = 0.2) -> Params:
    """Return a face as a camera sees it in a call: a little turned, a little beside the middle."""
    camera = Camera(
        float(random.uniform(-1.7, -1.4)),
        random.normal(0, turn, 3).astype(np.float32),
        np.array([*random.uniform(0.44, 0.56, 2), 0], np.float32),
    )
    return Params(random.normal(0, 1, EXPRESSION_SIZE).astype(np.float32), camera)


def person(random: np.random.Generator) -> Floats:
    return random.normal(0, 0.7, len(face_model().identity)).astype(np.float32)


def textured(random: np.random.Generator, side: int = 256) -> Image:
    """Return a picture, RGB (side, side, 3), with noise of several sizes, as skin has it."""
    grey = np.full((side, side), 128, np.float32)
    for sigma, height in ((1.5, 90), (4, 250), (12, 900)):
        grey += height * cv2.GaussianBlur(random.normal(0, 1, grey.shape), (0, 0), sigma)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def drawn(identity: Floats, params: Params) -> Image:
    """Return a picture of a face, RGB (256, 256, 3): a dim mask with a white dot on its nose."""
    renderer = FaceRenderer(face_model())
    shape = renderer.pose(identity, params)
    ramp = np.linspace(20, 60, 256, dtype=np.float32)
    picture = np.stack([np.broadcast_to(ramp, (256, 256))] * 3, axis=2).copy()
    mask = renderer.draw(shape, shape).nmfc
    on_face = mask.max(axis=2) > 0
    picture[on_face] = 40 + 100 * mask[on_face]
    nose = shape.points[NOSE, :2] * 256 - 0.5
    centre = tuple(int(v) for v in np.rint(nose * 16))
    cv2.circle(picture, centre, 4 * 16, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return picture.astype(np.uint8)


def outline(identity: Floats, params: Params) -> Mask:
    """Return where the face of such a picture is, uint8 (256, 256): a person to be found."""
    renderer = FaceRenderer(face_model())
    shape = renderer.pose(identity, params)
    return renderer.draw(shape, shape).nmfc.any(axis=2).astype(np.uint8) * 255


def dot(picture: Image) -> Floats:
    """Return where the white dot of a drawn face lies, in picture sides."""
    weight = np.clip(picture.min(axis=2).astype(np.float32) - 150, 0, None)
    rows, columns = np.indices(weight.shape)
    place = [(weight * axis).sum() / weight.sum() for axis in (columns, rows)]
    return np.asarray((np.array(place) + 0.5) / len(picture), np.float32)


def packed_file(path: Path, seed: int = 1) -> Path:
    """Write a file as `models.pack` would have, with one clip in its validation part."""
    folder = path.parent
    tracked_file(folder / "tracked-train.npz", seed=seed)
    tracked_file(folder / "tracked-val.npz", clips=1, photographs=0, seed=seed + 1)
    pack.main(folder, path)
    return path


def tracked_file(path: Path, clips: int = 2, photographs: int = 1, seed: int = 0) -> Path:
    """Write a file as `models.prepare` would have: clips of drawn faces, every frame a picture."""
    random = np.random.default_rng(seed)
    items = []
    for number in range(clips + photographs):
        photograph = number >= clips
        item = Tracked(f"photo-{number}" if photograph else f"clip-{number}")
        identity = person(random)
        for row in range(1 if photograph else PICTURES_A_CLIP):
            params = posed(random)
            item.add_picture(drawn(identity, params), outline(identity, params))
            item.points.append(face_model().points(identity, params))
            item.times.append(row)
        items.append(item)
    save(path, items)
    return path
