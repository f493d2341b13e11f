"""A fit put right by the picture itself: what the face shows should lie where it lay before.

A tracker finds each frame's points anew and errs by a pixel or two, another way in every pose; on
a face that is moved by its fit, that blurs every edge. So the sender keeps its key picture, the
one that the call was calibrated on. Moved by a frame's fit it should be that frame: what is left
of optical flow between the two ("Fast optical flow using dense inverse search", Kroeger et al.,
ECCV 2016; OpenCV's) says at each vertex how far the fit is off, and one regularised step over the
camera and the expression takes it back ("Face2Face", Thies et al., CVPR 2016, section 4.1, has
the same aim; the flow takes the place of its photometric gradient, which reaches a pixel only).

Measured by `python -m benchmarks.alignment`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shared.crop import Points
from shared.eyes import EYES, IRISES, SKIN_COUNT
from shared.face_image import FaceRenderer
from shared.face_model import EYE_CORNERS, FaceModel, eye_distance
from shared.lips import OPENING
from shared.mesh_warp import mesh_warp
from shared.openings import openings_by_expression
from shared.optical_flow import SIDE, Grey, flow, grey
from shared.params import EXPRESSION_LIMIT, EXPRESSION_SIZE, Camera, Floats, Params
from shared.pictures import Image

Array = npt.NDArray[np.float64]

AROUND = 5  # pixels a side of the square that a vertex's flow is averaged over
# Levels by which a pixel may differ, after the flow, to count half: a hand or a shadow counts less.
UNLIKE = 20.0
# Picture sides by which a vertex may stay off after a step to count half, and how often it is
# asked again.
OUTLYING = 1 / 128
ROUNDS = 4
# The prior that the expression was right, against squared errors in picture sides of one vertex.
EXPRESSION_RIDGE = 4e-5
# What opens shows something new, and a glance is smaller than the flow's patches: how far eyes and
# mouth are open and where irises and the lips' inner edges are is the tracker's to say. Picture
# sides for a width of the opening, and for one of the eye.
OPENING_WEIGHT, GAZE_WEIGHT = 0.5, 0.5
HELD = 2.0  # weight of each vertex of the lips' inner edges; others have at most 1
# A correction by this share of the eyes' distance is half believed: trackers do not err so far,
# and a hand in front of the face moves more.
FAR = 0.08
_SEEN = 0.02  # of a face image's z: more is face, no eye and nothing beside it


class Aligner:
    """Corrects the fits of one call against its key picture; not for two threads at once."""

    def __init__(self, model: FaceModel, identity: Floats, key: Image, params: Params) -> None:
        """Take the key picture.

        Args:
            model: the face model.
            identity: of the face, from `FaceModel.calibrate`.
            key: the picture of the call's crop, RGB uint8 (256, 256, 3).
            params: its own fit.
        """
        self._model, self._identity = model, identity
        self._renderer = FaceRenderer(model, SIDE)
        self._home = self._renderer.pose(identity, params)
        self._key = grey(key)
        counts = np.ones(SKIN_COUNT)
        counts[[*EYES[0], *EYES[1]]] = 0.0
        self._counts = counts
        self._prior = _prior(model)

    @classmethod
    def on(cls, key: Image, points: Points, model: FaceModel) -> Aligner:
        """Take a key picture with its tracked points, (478, 3), crop sides."""
        identity = model.calibrate(points)
        return cls(model, identity, key, model.fit(points, identity))

    def align(self, picture: Image, params: Params) -> Params:
        """Return a frame's numbers, corrected.

        Args:
            picture: the frame's crop, RGB uint8 (256, 256, 3).
            params: as fitted to the tracked points.
        """
        points = self._model.points(self._identity, params)[:SKIN_COUNT]
        errors, weights = self._errors(grey(picture), points, params)
        jacobian = self._jacobian(points, params)
        step = _robust_step(jacobian, errors, weights, self._prior)
        moved = np.sqrt(np.square(step @ jacobian).mean() * 2)
        step *= 1 / (1 + (moved / (FAR * eye_distance(points))) ** 4)
        return _apply(params, step)

    def correct(self, picture: Image, points: Points) -> Points:
        """Return tracked points moved as `align` moves their fit, shape (478, 3), crop sides."""
        fitted = self._model.fit(points, self._identity)
        aligned = self.align(picture, fitted)
        before, after = (self._model.points(self._identity, params) for params in (fitted, aligned))
        return np.asarray(points + (after - before), np.float32)

    def _errors(self, frame: Grey, points: Floats, params: Params) -> tuple[Array, Array]:
        """Return how far each vertex should move, (468, 2), crop sides, and its weight, (468,)."""
        drawn = self._renderer.draw(self._renderer.pose(self._identity, params), self._home)
        moved = mesh_warp(self._key, drawn.displacement)
        found = flow(frame, moved)
        # After the flow both should be the same, but for the light as a whole.
        unlike = mesh_warp(moved, found).astype(np.float32) - frame
        face = (drawn.nmfc[..., 2] > _SEEN).astype(np.float32)
        unlike -= (unlike * face).sum() / max(float(face.sum()), 1.0)
        trust = face / (1 + np.square(_mean_around(unlike) / np.float32(UNLIKE)))
        told = _mean_around(np.concatenate([found * trust[..., None], trust[..., None]], axis=2))
        told = _at(told, points).astype(np.float64)
        errors, weights = -told[:, :2] / (told[:, 2:] + 1e-3), told[:, 2] * self._counts
        errors[list(OPENING)], weights[list(OPENING)] = 0.0, HELD  # they stay where they are
        return errors, weights

    def _jacobian(self, points: Floats, params: Params) -> Array:
        """Return what each number does to the vertices, (34, 468 * 2): expression, then camera."""
        rotation, _ = cv2.Rodrigues(params.camera.rotation.astype(np.float64))
        scaled = np.exp(params.camera.log_scale) * rotation.T
        arms = points - params.camera.translation
        turns = [np.cross(axis, arms) for axis in np.eye(3)]
        shifts = [np.broadcast_to(axis, arms.shape) for axis in np.eye(3)[:2]]
        expression = self._model.expression[:, :SKIN_COUNT] @ scaled
        columns = np.concatenate([expression, np.stack([arms, *turns, *shifts])])
        return np.asarray(columns[..., :2].reshape(len(columns), -1), np.float64)


def _prior(model: FaceModel) -> Array:
    """Return what holds a step back, (34, 34), squared as the normal equations take it."""
    kept = np.concatenate(
        [OPENING_WEIGHT * openings_by_expression(model), GAZE_WEIGHT * _gaze_by_expression(model)]
    )
    prior = 1e-9 * np.eye(EXPRESSION_SIZE + 6)  # a face without texture stays where it is
    prior[:EXPRESSION_SIZE, :EXPRESSION_SIZE] += kept.T @ kept
    prior[:EXPRESSION_SIZE, :EXPRESSION_SIZE] += EXPRESSION_RIDGE * np.eye(EXPRESSION_SIZE)
    return prior


def _gaze_by_expression(model: FaceModel) -> Array:
    """Return by how much each expression number moves both irises in their eyes, (4, 28)."""
    moves = []
    for corners, iris in zip(EYE_CORNERS, IRISES, strict=True):
        width = np.linalg.norm(np.subtract(*model.mean[list(corners)]))
        eye = model.expression[:, list(corners), :2].mean(axis=1)
        moves.append((model.expression[:, iris[0], :2] - eye) / width)
    return np.asarray(np.concatenate(moves, axis=1).T, np.float64)


def _robust_step(jacobian: Array, errors: Array, weights: Array, prior: Array) -> Array:
    """Return the numbers' change that takes the errors back, (34,), iteratively reweighted."""
    wanted, step = errors.ravel(), np.zeros(len(prior))
    for _ in range(ROUNDS):
        left = np.square((wanted - step @ jacobian).reshape(-1, 2)).sum(axis=1)
        own = weights / (1 + left / OUTLYING**2)
        weighted = jacobian * np.repeat(own, 2)
        step = np.linalg.solve(weighted @ jacobian.T + prior, weighted @ wanted)
    return np.asarray(step, np.float64)


def _apply(params: Params, step: Array) -> Params:
    """Return the numbers after a change as `Aligner._jacobian` has it."""
    camera, change = params.camera, step[EXPRESSION_SIZE:]
    turn, _ = cv2.Rodrigues(change[1:4])
    before, _ = cv2.Rodrigues(camera.rotation.astype(np.float64))
    rotation, _ = cv2.Rodrigues(turn @ before)
    moved = camera.translation + np.array([change[4], change[5], 0.0])
    expression = params.expression + step[:EXPRESSION_SIZE]
    return Params(
        np.clip(expression, -EXPRESSION_LIMIT, EXPRESSION_LIMIT).astype(np.float32),
        Camera(
            camera.log_scale + float(change[0]),
            rotation.ravel().astype(np.float32),
            moved.astype(np.float32),
        ),
    )


def _mean_around(image: Floats) -> Floats:
    return np.asarray(cv2.blur(image, (AROUND, AROUND)), np.float32)


def _at(image: Floats, points: Floats) -> Floats:
    """Return what an image (S, S, C) shows at points (N, 3), crop sides; shape (N, C)."""
    at = points[:, None, :2] * np.float32(len(image)) - np.float32(0.5)
    shown = cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    return np.asarray(shown[:, 0], np.float32)
