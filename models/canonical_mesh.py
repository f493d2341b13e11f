"""MediaPipe's canonical face mesh, read from the npm package @mediapipe/face_mesh.

The package packs its assets in one file; the mesh is a protocol buffer in it
(`GeometryPipelineMetadata.canonical_mesh`: vertex buffer in field 3, five floats a vertex;
index buffer in field 4). The few lines of wire format below spare a schema compiler.
"""

from __future__ import annotations

import json
import re
import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shared.errors import BadInputError

ASSETS = "package/face_mesh_solution_packed_assets"
MESH_NAME = "geometry_pipeline_metadata_landmarks.binarypb"
FLOATS_PER_VERTEX = 5  # x, y, z, u, v


@dataclass(frozen=True)
class CanonicalMesh:
    """The symmetric face mesh that FaceMesh's points follow.

    Attributes:
        vertices: shape (468, 3), in the tracker's axes (y down, z away from the camera).
        triangles: shape (898, 3), vertex indices.
    """

    vertices: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.int64]

    @classmethod
    def load(cls, package: Path) -> CanonicalMesh:
        """Read the mesh from the npm package's .tgz file.

        Raises:
            BadInputError: the file is not that package.
        """
        try:
            with tarfile.open(package) as archive:
                loader = _member(archive, f"{ASSETS}_loader.js").decode()
                assets = _member(archive, f"{ASSETS}.data")
            return cls._parse(loader, assets)
        except (
            OSError,
            EOFError,
            LookupError,
            ValueError,
            struct.error,
            tarfile.TarError,
        ) as error:
            raise BadInputError(f"{package} is not @mediapipe/face_mesh: {error}") from error

    @classmethod
    def _parse(cls, loader: str, assets: bytes) -> CanonicalMesh:
        entries = [json.loads(text) for text in re.findall(r'\{"filename": "[^}]*\}', loader)]
        places = {e["filename"].rpartition("/")[2]: (e["start"], e["end"]) for e in entries}
        fields = _fields(assets[slice(*places[MESH_NAME])])
        mesh = _fields(fields[1][0])
        floats = np.array([struct.unpack("<f", word)[0] for word in mesh[3]])
        vertices = floats.reshape(-1, FLOATS_PER_VERTEX)[:, :3] * [1, -1, -1]
        return cls(vertices, np.array(mesh[4], np.int64).reshape(-1, 3))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _fields(data: bytes) -> dict[int, list]:  # type: ignore[type-arg]
    """Split a protocol buffer message into its fields: bytes or integers, by field number."""
    fields: dict[int, list[bytes | int]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: bytes | int
        if kind == 0:
            value, at = _varint(data, at)
        else:
            size, at = (4, at) if kind == 5 else _varint(data, at)
            value = data[at : at + size]
            at += size
        fields.setdefault(number, []).append(value)
    return fields
