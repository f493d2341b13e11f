"""Dlib's face recognition with a gradient, and the care it takes with what it reads."""

from __future__ import annotations

import hashlib
import io
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import recognition
from models.recognition import (
    HALVED,
    SIDE,
    WIDTHS,
    IdentityDistance,
    Recognition,
    _number,
    _similarity,
    read_arrays,
)
from shared.errors import BadInputError
from tests.shown import Shown

torch.set_num_threads(1)

ARCHIVE = Path(__file__).resolve().parent.parent / "build" / "vladmandic-face-api-1.7.15.tgz"
MANIFEST, NUMBERS = recognition.MEMBERS


def layers() -> dict[str, tuple[int, ...]]:
    """Return the arrays that the network is made of, by name."""
    shapes: dict[str, tuple[int, ...]] = {"conv32_down": (7, 7, 3, 32)}
    before = 32
    for at, width in enumerate(WIDTHS):
        name = f"conv{width}_{_number(at)}"
        shapes[f"{name}/conv1"] = (3, 3, before, width)
        shapes[f"{name}/conv2"] = (3, 3, width, width)
        before = width
    parts = {}
    for name, shape in shapes.items():
        parts[f"{name}/conv/filters"] = shape
        for other in ("conv/bias", "scale/weights", "scale/biases"):
            parts[f"{name}/{other}"] = shape[-1:]
    return parts | {"fc": (256, 128)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an archive of the right form with random numbers."""
    random = np.random.default_rng(1)
    entries: list[dict[str, Any]] = []
    numbers = b""
    for number, (name, shape) in enumerate(layers().items()):
        entry: dict[str, Any] = {"name": name, "shape": list(shape), "dtype": "float32"}
        if number % 5:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.0008, "min": -0.1}
            numbers += random.integers(0, 256, math.prod(shape), np.uint8).tobytes()
        else:
            numbers += random.normal(0, 0.06, shape).astype("<f4").tobytes()
        entries.append(entry)
    contents = {MANIFEST: json.dumps([{"weights": entries}]).encode(), NUMBERS: numbers}
    path = tmp_path_factory.mktemp("package") / "package.tgz"
    with tarfile.open(path, "w:gz") as made:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def distance(archive: Path, monkeypatch: pytest.MonkeyPatch) -> IdentityDistance:
    with tarfile.open(archive) as opened:
        for name in recognition.MEMBERS:
            file = opened.extractfile(name)
            assert file is not None
            digest = hashlib.sha256(file.read()).hexdigest()
            monkeypatch.setitem(recognition.MEMBERS, name, digest)
    return IdentityDistance(archive)


@pytest.fixture(scope="module")
def shown(demo_clip: Path) -> Shown:
    return Shown.of(demo_clip)


def test_another_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="npm pack"):
        read_arrays(archive)  # of the right form, with other numbers
    for name, data in (("text.tgz", b"no archive"), ("empty.tgz", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadInputError, match="npm pack"):
            read_arrays(tmp_path / name)
    with pytest.raises(BadInputError, match="npm pack"):
        read_arrays(tmp_path / "missing.tgz")


def test_blocks_are_named_as_in_the_package() -> None:
    names = [f"{width}_{_number(at)}" for at, width in enumerate(WIDTHS)]
    assert names[:5] == ["32_1", "32_2", "32_3", "64_down", "64_1"]
    assert names[-4:] == ["256_down", "256_1", "256_2", "256_down_out"]
    assert [names[at].endswith(("down", "down_out")) for at in HALVED] == [True] * 4


def test_a_similarity_is_found(shown: Shown) -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.5, 1.0]])
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]]) * 1.7
    others = points @ turn.T + torch.tensor([0.3, -0.2])
    found = _similarity(points, others)
    torch.testing.assert_close(found[:, :2], turn)
    torch.testing.assert_close(found[:, 2], torch.tensor([0.3, -0.2]))


def test_faces_are_cut_upright_with_the_eyes_at_their_places(
    shown: Shown, distance: IdentityDistance
) -> None:
    for quarter in range(4):  # a picture on its side is cut alike
        face = torch.rot90(shown.face, quarter, (2, 3))
        points = shown.points[[33, 263], :2] * 2 - 1
        for _ in range(quarter):
            points = torch.stack([points[:, 1], -points[:, 0]], dim=1)
        where = distance.cuts(face)[0]
        cut = torch.linalg.solve(where[:, :2], (points - where[:, 2]).T).T
        wanted = torch.tensor([[0.247, 0.309], [0.740, 0.309]]) * 2 - 1
        assert float((cut - wanted).abs().max()) < 0.12  # 9 pixels of 150


def test_without_a_face_the_whole_picture_is_cut(distance: IdentityDistance) -> None:
    torch.testing.assert_close(distance.cuts(torch.zeros(1, 3, 64, 64))[0], torch.eye(3)[:2])


def test_the_same_picture_is_near_and_another_is_not(
    shown: Shown, distance: IdentityDistance
) -> None:
    assert float(distance(shown.image, shown.image, shown.face)) == pytest.approx(1e-3, abs=1e-4)
    assert float(distance(shown.image.flip(1), shown.image, shown.face)) > 0.003


def test_the_distance_pulls_at_the_rebuilt_picture_on_the_face(
    shown: Shown, distance: IdentityDistance
) -> None:
    image = (shown.image * 0.9).requires_grad_()
    distance(image, shown.image, shown.face).backward()
    assert image.grad is not None
    pull = image.grad.abs().sum(dim=1)[0]
    face = shown.face[0, 0] > 0
    assert float(pull[face].mean()) > 2 * float(pull[~face].mean())
    assert all(own.grad is None for own in distance.parameters())


def test_people_are_told_apart_as_dlib_does(shown: Shown) -> None:
    if not ARCHIVE.is_file():
        pytest.skip(f"no {ARCHIVE.name} in build/; get it as models/recognition.py says")
    distance = IdentityDistance(ARCHIVE)
    assert isinstance(distance.recognition, Recognition)
    moved = shown.image.roll(3, dims=3)
    noise = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    with torch.no_grad():
        same = distance(moved, shown.image, shown.face)
        assert float(same) < 0.3
        assert float((distance.recognition(noise)).norm()) < 3
        upside_down = distance(shown.image.flip(2), shown.image, shown.face)
        assert float(upside_down) > 0.5
