"""The 3D morphable face model: shape = mean + U_id p_id + U_exp p_exp, and its fit.

HeadGAN, section 3.1 (equation 1) and appendix A (algorithm 1). The bases are learned from the
tracker's own points (`models.build_face_model`), so the fit loses almost nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from shared.eyes import EYES, SKIN_COUNT
from shared.params import EXPRESSION_LIMIT, EXPRESSION_SIZE, Camera, Floats, Params
from shared.procrustes import Similarity, register

POINT_COUNT = 478
FORMAT = "headcall-face-model-2"
EYE_CORNERS = ((33, 133), (362, 263))  # MediaPipe's indices: outer and inner corner of each eye
EYE_WEIGHT = 4.0  # a blink and a glance move few points and say much
# Weight of the prior that a coefficient is normal with unit deviation, against squared point
# errors in model units (eye distances) summed over all points.
EXPRESSION_RIDGE = 1e-4
IDENTITY_RIDGE = 1e-4
FIT_ROUNDS = 3
CALIBRATE_ROUNDS = 8
MAX_FILE_BYTES = 4 << 20
# Two fits of one picture, sent by one end and fitted again by the other, differ by less than this:
# natural logarithm of the scale, crop sides, radians, and standard deviations of expression. Of two
# pictures, somebody would have had to hold their head as still as a statue.
SAME_SCALE, SAME_PLACE, SAME_TURN, SAME_EXPRESSION = 0.05, 0.012, 0.1, 1.6


class FaceModelError(Exception):
    """The face model's file is missing, damaged or of another kind."""


def point_weights() -> npt.NDArray[np.float64]:
    """Return how much each point's squared error counts, shape (478,)."""
    weights = np.ones(POINT_COUNT)
    weights[[*EYES[0], *EYES[1], *range(SKIN_COUNT, POINT_COUNT)]] = EYE_WEIGHT
    return weights


def eye_distance(points: npt.NDArray[np.floating]) -> float:
    """Return the distance between the two eyes' centres, in the unit of `points` (478, 3)."""
    left, right = (points[list(corners)].mean(axis=0) for corners in EYE_CORNERS)
    return float(np.linalg.norm(left - right))


@dataclass(frozen=True)
class FaceModel:
    """A linear model of face shapes.

    Model units: the mean shape's eyes are 1 apart and its centroid is the origin; x to the
    right, y down, z away from the camera; rotation zero looks at the camera.

    Attributes:
        mean: shape (478, 3).
        identity: shape (K, 478, 3), one standard deviation of each direction.
        expression: shape (28, 478, 3), one standard deviation of each direction.
        triangles: shape (T, 3), vertex indices.
        fingerprint: hex digest of the arrays; both ends must have the same.
    """

    mean: Floats
    identity: Floats
    expression: Floats
    triangles: npt.NDArray[np.int32]
    fingerprint: str

    @classmethod
    def load(cls, path: Path | None = None) -> FaceModel:
        """Read a model, by default the one that is shipped.

        Raises:
            FaceModelError: the file is missing, damaged or not a face model of this version.
        """
        path = path or Path(str(resources.files("shared") / "assets" / "face_model.safetensors"))
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise FaceModelError(f"{path} is too large for a face model")
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, TypeError, SafetensorError) as error:  # numpy has no bfloat16
            raise FaceModelError(f"{path} cannot be read as a face model: {error}") from error
        _check(path, metadata, arrays)
        return cls(
            mean=arrays["mean"],
            identity=arrays["identity"].astype(np.float32),
            expression=arrays["expression"].astype(np.float32),
            triangles=arrays["triangles"].astype(np.int32),
            fingerprint=metadata["digest"],
        )

    def calibrate(self, points: npt.NDArray[np.floating]) -> Floats:
        """Return the identity coefficients of a face, shape (K,), in standard deviations.

        Identity and expression are solved together (algorithm 1 merges the bases), so that a
        smile on the calibration frame does not become part of the person.

        Args:
            points: tracked points of one frame, shape (478, 3), any scale.
        """
        basis, solver = self._merged_solver
        coefficients, _ = self._alternate(points, self.mean, basis, solver, rounds=CALIBRATE_ROUNDS)
        return np.asarray(coefficients[: len(self.identity)], np.float32)

    def fit(self, points: npt.NDArray[np.floating], identity: Floats) -> Params:
        """Return expression and camera of a frame, with the identity fixed.

        Args:
            points: tracked points, shape (478, 3), in crop sides.
            identity: what `calibrate` returned for this person, shape (K,).
        """
        neutral = self.shape(identity, np.zeros(EXPRESSION_SIZE, np.float32))
        basis = self.expression.reshape(EXPRESSION_SIZE, -1)
        expression, pose = self._alternate(
            points, neutral, basis, self._expression_solver, rounds=FIT_ROUNDS
        )
        rotation, _ = cv2.Rodrigues(pose.rotation)
        camera = Camera(
            float(np.log(pose.scale)),
            rotation.ravel().astype(np.float32),
            pose.translation.astype(np.float32),
        )
        bounded = np.clip(expression, -EXPRESSION_LIMIT, EXPRESSION_LIMIT)
        return Params(bounded.astype(np.float32), camera)

    def shape(self, identity: Floats, expression: Floats) -> Floats:
        """Return a face's shape (equation 1), shape (478, 3), model units."""
        flat = identity @ self.identity.reshape(len(self.identity), -1)
        flat = flat + expression @ self.expression.reshape(EXPRESSION_SIZE, -1)
        return np.asarray(self.mean + flat.reshape(POINT_COUNT, 3), np.float32)

    def project(self, shape: Floats, camera: Camera) -> Floats:
        """Return model points seen by a camera, shape (N, 3), crop sides."""
        rotation, _ = cv2.Rodrigues(camera.rotation.astype(np.float64))
        seen = np.exp(camera.log_scale) * shape @ rotation.T + camera.translation
        return np.asarray(seen, np.float32)

    def points(self, identity: Floats, params: Params) -> Floats:
        """Return the points that 35 floats stand for, shape (478, 3), crop sides."""
        return self.project(self.shape(identity, params.expression), params.camera)

    @cached_property
    def _merged_solver(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        merged = np.concatenate([self.identity, self.expression]).astype(np.float64)
        basis = merged.reshape(-1, POINT_COUNT * 3)
        sizes = (len(self.identity), EXPRESSION_SIZE)
        return basis, _solver(basis, np.repeat([IDENTITY_RIDGE, EXPRESSION_RIDGE], sizes))

    @cached_property
    def _expression_solver(self) -> npt.NDArray[np.float64]:
        basis = self.expression.reshape(EXPRESSION_SIZE, -1).astype(np.float64)
        return _solver(basis, np.full(EXPRESSION_SIZE, EXPRESSION_RIDGE))

    @staticmethod
    def _alternate(
        points: npt.NDArray[np.floating],
        neutral: Floats,
        basis: npt.NDArray[np.floating],
        solver: npt.NDArray[np.floating],
        rounds: int,
    ) -> tuple[npt.NDArray[np.float64], Similarity]:
        """Register, solve for the coefficients, and register again on the shape they give.

        One registration to the mean (algorithm 1) would read an open jaw as a turned head.
        """
        shape = neutral
        for _ in range(rounds):
            pose = register(shape, points)
            coefficients = solver @ (pose.undo(points) - neutral).ravel()
            shape = neutral + (coefficients @ basis).reshape(-1, 3)
        return coefficients, register(shape, points)


def _solver(
    basis: npt.NDArray[np.float64], ridge: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what turns point errors into coefficients (weighted least squares with a prior)."""
    weighted = basis * np.repeat(point_weights(), 3)
    return np.asarray(np.linalg.solve(weighted @ basis.T + np.diag(ridge), weighted), np.float64)


def adapt(params: Params, origin: Params, reference: Params) -> Params:
    """Return `params` moved so that the head sits where it sits in the reference picture.

    The paper's relative setting for another time's photograph: scale and translation change
    with the driver but start from the reference's; rotation and expression are kept. Where the
    photograph is the very frame that the driver was calibrated on, all numbers start from the
    reference's: two fits of one face differ by what trackers err, and that is not to be shown.

    Args:
        params: the driving frame.
        origin: the frame the driver was calibrated on.
        reference: the reference picture's own fit.
    """
    ratio = reference.camera.log_scale - origin.camera.log_scale
    moved = params.camera.translation - origin.camera.translation
    expression, rotation = params.expression, params.camera.rotation
    back = _turn(origin).T @ _turn(reference)
    if _is_the_same_picture(origin, reference, back):
        shifted = expression + (reference.expression - origin.expression)
        expression = np.clip(shifted, -EXPRESSION_LIMIT, EXPRESSION_LIMIT)
        rotation = cv2.Rodrigues(_turn(params) @ back)[0].ravel().astype(np.float32)
    camera = Camera(
        params.camera.log_scale + ratio,
        rotation,
        np.asarray(reference.camera.translation + np.exp(ratio) * moved, np.float32),
    )
    return Params(expression, camera)


def _is_the_same_picture(one: Params, other: Params, turn: npt.NDArray[np.float64]) -> bool:
    """Say whether two fits may be of one picture: whether they differ as little as trackers err."""
    angle = np.linalg.norm(cv2.Rodrigues(turn)[0])
    expression = np.sqrt(np.square(one.expression - other.expression).mean())
    shift = np.abs(one.camera.translation[:2] - other.camera.translation[:2]).max()
    return bool(
        abs(one.camera.log_scale - other.camera.log_scale) < SAME_SCALE
        and shift < SAME_PLACE
        and angle < SAME_TURN
        and expression < SAME_EXPRESSION
    )


def _turn(params: Params) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(params.camera.rotation.astype(np.float64))[0], np.float64)


def digest(arrays: dict[str, npt.NDArray[np.generic]]) -> str:
    """Return the hex SHA-256 over named arrays, in the order of their names."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        sha.update(
            name.encode() + str(arrays[name].dtype).encode() + str(arrays[name].shape).encode()
        )
        sha.update(np.ascontiguousarray(arrays[name]).tobytes())
    return sha.hexdigest()


def _check(
    path: Path, metadata: dict[str, str], arrays: dict[str, npt.NDArray[np.generic]]
) -> None:
    if metadata.get("format") != FORMAT:
        raise FaceModelError(f"{path} is not a face model of this version ({FORMAT})")
    names = {"mean", "identity", "expression", "triangles"}
    if set(arrays) != names:
        raise FaceModelError(f"{path} should hold {sorted(names)}, not {sorted(arrays)}")
    if metadata.get("digest") != digest(arrays):
        raise FaceModelError(f"{path} is damaged: its contents do not match its digest")
    shapes_fit = (
        arrays["mean"].shape == (POINT_COUNT, 3)
        and arrays["identity"].shape[1:] == (POINT_COUNT, 3)
        and arrays["expression"].shape == (EXPRESSION_SIZE, POINT_COUNT, 3)
        and arrays["triangles"].ndim == 2
        and arrays["triangles"].shape[1] == 3
        and arrays["triangles"].size > 0
        and int(arrays["triangles"].min()) >= 0
        and int(arrays["triangles"].max()) < POINT_COUNT
    )
    if not shapes_fit:
        raise FaceModelError(f"{path} holds arrays of the wrong shape")
