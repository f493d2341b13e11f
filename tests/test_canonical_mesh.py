"""Reading the canonical mesh from a package of the npm package's structure."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from models.canonical_mesh import ASSETS, MESH_NAME, CanonicalMesh
from shared.errors import BadInputError

VERTICES = np.array([[0, 1, 2], [3.5, -4, 5], [6, 7, -8.25], [0.5, 0, 0]], np.float32)
TRIANGLES = [[0, 1, 2], [2, 1, 3], [300, 70000, 0]]  # the last ones need long varints
VARINT, BYTES, WORD = 0, 2, 5


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, kind: int, value: bytes) -> bytes:
    return varint(number << 3 | kind) + value


def message(number: int, content: bytes) -> bytes:
    return field(number, BYTES, varint(len(content)) + content)


def mesh() -> bytes:
    """Return `GeometryPipelineMetadata` as protoc writes it, with fields we do not read."""
    body = field(1, VARINT, varint(2)) + field(2, VARINT, varint(0))
    for vertex in VERTICES:
        for number in (*vertex, 0.25, 0.75):  # texture coordinates follow
            body += field(3, WORD, struct.pack("<f", number))
    for triangle in TRIANGLES:
        for index in triangle:
            body += field(4, VARINT, varint(index))
    weights = message(2, field(1, VARINT, varint(33)) + field(2, WORD, struct.pack("<f", 0.1)))
    return message(1, body) + weights


def package(
    path: Path, content: bytes, name: str = f"/{MESH_NAME}", loader: str | None = None
) -> Path:
    before = b"another asset, of which nothing is read"
    entries = [
        {"filename": "/face_detection.tflite", "start": 0, "end": len(before)},
        {"filename": name, "start": len(before), "end": len(before) + len(content)},
    ]
    script = loader or f'Module.load({{"files": {json.dumps(entries)}, "size": 99}});'
    with tarfile.open(path, "w:gz") as archive:
        for member, data in (
            (f"{ASSETS}_loader.js", script.encode()),
            (f"{ASSETS}.data", before + content + b"after"),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_the_mesh_is_found_among_the_assets(tmp_path: Path) -> None:
    found = CanonicalMesh.load(package(tmp_path / "mesh.tgz", mesh()))
    np.testing.assert_array_equal(found.triangles, TRIANGLES)
    # MediaPipe's y runs up and its z towards the camera; the tracker's do not.
    np.testing.assert_array_equal(found.vertices, VERTICES * [1, -1, -1])


def refused(path: Path) -> None:
    with pytest.raises(BadInputError, match="is not @mediapipe/face_mesh"):
        CanonicalMesh.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.tgz")


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"no archive")])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "foreign.tgz"
    path.write_bytes(data)
    refused(path)


def test_another_package_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("package/index.js"))
    refused(path)


def test_a_package_without_the_mesh_is_refused(tmp_path: Path) -> None:
    refused(package(tmp_path / "next.tgz", mesh(), name="/another.binarypb"))


def test_a_half_downloaded_package_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(20_000)
    path = package(tmp_path / "half.tgz", mesh() + noise)
    path.write_bytes(path.read_bytes()[:-10_000])
    refused(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 40, mesh()[:50], message(1, field(3, WORD, b"\0\0"))],
    ids=["empty", "endless number", "cut", "half a float"],
)
def test_a_damaged_mesh_is_refused(tmp_path: Path, content: bytes) -> None:
    refused(package(tmp_path / "damaged.tgz", content))


def test_a_loader_that_is_no_text_is_refused(tmp_path: Path) -> None:
    broken = '{"filename": "/geometry_pipeline_metadata_landmarks.binarypb", "start": }'
    refused(package(tmp_path / "broken.tgz", mesh(), loader=broken))
