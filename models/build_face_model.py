"""Learning the face model's mean, identity and expression bases from tracked points.

    npm pack @mediapipe/face_mesh
    python -m models.build_face_model build/tracked-train.npz mediapipe-face_mesh-*.tgz

The triangles are MediaPipe's canonical face mesh (Apache-2.0), read from the npm package.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.progress import track
from safetensors.numpy import save_file

from models.canonical_mesh import CanonicalMesh
from models.tracked import TrackedClips
from shared.command import run_command
from shared.eyes import EYES, SKIN_COUNT
from shared.face_model import FORMAT, POINT_COUNT, digest, eye_distance, point_weights
from shared.params import EXPRESSION_SIZE
from shared.procrustes import register

IDENTITY_SIZE = 80
ALIGN_ROUNDS = 5
WEIGHT_LIMITS = (0.2, 30.0)
MAX_FRAMES_PER_CLIP = 300
MIN_CLIP_FRAMES = 10  # shorter ones (photographs) say nothing about a person's neutral face

Array = npt.NDArray[np.float64]


def basis_of(rows: Array, size: int, weights: Array | None = None) -> Array:
    """Return the leading principal directions of rows, each scaled to one deviation.

    Args:
        rows: shape (N, D), centred.
        size: how many directions.
        weights: shape (N,), each row's share of the variance; equal by default.
    """
    weights = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
    covariance = (rows * weights[:, None]).T @ rows
    values, vectors = np.linalg.eigh(covariance)
    leading = np.argsort(values)[::-1][:size]
    return np.asarray(vectors[:, leading].T * np.sqrt(values[leading])[:, None])


def align_all(points: Array, targets: Array) -> Array:
    """Register every frame (N, 478, 3) to its target; returns them in model units."""
    return np.stack([register(p, t).apply(p) for p, t in zip(points, targets, strict=True)])


def sample_rows(clips: TrackedClips) -> npt.NDArray[np.int64]:
    """Return rows of at most MAX_FRAMES_PER_CLIP frames a clip, spread over it."""
    rows = []
    for index in range(len(clips.names)):
        own = np.flatnonzero(clips.clip == index)
        count = min(len(own), MAX_FRAMES_PER_CLIP)
        rows.append(own[np.linspace(0, len(own) - 1, count).astype(int)])
    return np.concatenate(rows)


class Learner:
    """Alternates registration and principal components until the shapes settle."""

    def __init__(self, clips: TrackedClips, mean: Array) -> None:
        self.rows = sample_rows(clips)
        self.points = clips.points[self.rows].astype(np.float64)
        self.clip = clips.clip[self.rows]
        self.mean = mean
        self.fitted = np.broadcast_to(mean, self.points.shape)
        self.weights = np.ones(len(self.points))
        # Least squares of points times these are the fit's weighted least squares.
        self.roots = np.sqrt(point_weights())[:, None]

    def round(self) -> tuple[Array, Array]:
        """Register to the last fitted shapes and learn both bases anew."""
        aligned = align_all(self.points, self.fitted)
        count = np.bincount(self.clip)
        people = np.stack([aligned[self.clip == i].mean(axis=0) for i in range(len(count))])
        video = np.flatnonzero(count >= MIN_CLIP_FRAMES)
        moving = np.isin(self.clip, video)
        residual = ((aligned - people[self.clip]) * self.roots).reshape(len(aligned), -1)
        weights = (self.weights / count[self.clip])[moving]
        expression = basis_of(residual[moving], EXPRESSION_SIZE, weights)
        self.mean = self._normalised(people.mean(axis=0))
        offsets = ((people - self.mean) * self.roots).reshape(len(people), -1)
        # What looks like an expression is one: identity is what remains beside it.
        directions = expression / np.linalg.norm(expression, axis=1, keepdims=True)
        offsets = offsets - offsets @ directions.T @ directions
        identity = basis_of(offsets, IDENTITY_SIZE)
        self._reweight(residual - residual @ directions.T @ directions, moving)
        self._refit(aligned, identity, expression)
        return self._unweighted(identity), self._unweighted(expression)

    def _reweight(self, missed: Array, moving: npt.NDArray[np.bool_]) -> None:
        """Let frames that the basis misses, most of them turned far, count more next time."""
        error = (missed**2).sum(axis=1)
        self.weights = np.clip(error / np.median(error[moving]), *WEIGHT_LIMITS)

    def _refit(self, aligned: Array, identity: Array, expression: Array) -> None:
        basis = np.concatenate([identity, expression])
        unit = basis / np.linalg.norm(basis, axis=1, keepdims=True)
        flat = ((aligned - self.mean) * self.roots).reshape(len(aligned), -1)
        self.fitted = self.mean + self._unweighted(flat @ unit.T @ unit)

    def _unweighted(self, rows: Array) -> Array:
        return rows.reshape(-1, POINT_COUNT, 3) / self.roots

    @staticmethod
    def _normalised(mean: Array) -> Array:
        mean = mean - mean.mean(axis=0)
        return mean / eye_distance(mean)


def _with_irises(vertices: Array) -> Array:
    """Return the canonical mesh, normalised, with irises amid the eyes to begin with."""
    count = (POINT_COUNT - SKIN_COUNT) // len(EYES)
    irises = [np.tile(vertices[list(eye)].mean(axis=0), (count, 1)) for eye in EYES]
    return Learner._normalised(np.concatenate([vertices, *irises]))


def main(
    tracked: Annotated[Path, typer.Argument(help="tracked-train.npz from models.prepare.")],
    package: Annotated[Path, typer.Argument(help="The npm package @mediapipe/face_mesh (.tgz).")],
    out: Annotated[Path, typer.Option(help="The model to write.")] = Path(
        "shared/assets/face_model.safetensors"
    ),
) -> None:
    """Learn the face model and write it."""
    mesh = CanonicalMesh.load(package)
    learner = Learner(TrackedClips.load(tracked), _with_irises(mesh.vertices))
    for _ in track(range(ALIGN_ROUNDS), "learning"):
        identity, expression = learner.round()
    # The mean's own pose decides what "frontal" is: the canonical mesh is symmetric.
    upright = register(learner.mean[:SKIN_COUNT], mesh.vertices).rotation
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "mean": (learner.mean @ upright.T).astype(np.float32),
        "identity": (identity @ upright.T).astype(np.float16),
        "expression": (expression @ upright.T).astype(np.float16),
        "triangles": mesh.triangles.astype(np.uint16),
    }
    metadata = {"format": FORMAT, "digest": digest(arrays)}
    save_file(arrays, str(out), metadata)
    logging.getLogger(__name__).info("wrote %s", out)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_command(main)
