"""Measuring a frame's sway: what optical flow leaves beside the face, as a few cosines."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shared.detail import SWAY_LIMIT
from shared.face_image import FaceImage, FaceRenderer
from shared.face_model import FaceModel
from shared.layers import Mask
from shared.mesh_warp import mesh_warp
from shared.optical_flow import SIDE, Grey, flow, grey
from shared.params import Floats, Params
from shared.pictures import Image
from shared.sway import cosines, still

Array = npt.NDArray[np.float64]

CELLS = 16  # a side: the flow's means over such cells are what the cosines are fitted to
# Levels by which a pixel may differ, after the flow, to count half: what comes into view says
# nothing of motion.
UNLIKE = 20.0
# Crop sides by which the flow there and back again may miss a pixel to count half: a hand that
# came before the hair looks like some of it, but that does not look like the hand ("Dense point
# trajectories by GPU-accelerated large displacement optical flow", Sundaram et al., ECCV 2010).
ASTRAY = 0.01
OUTLYING = 0.02  # crop sides by which a cell may stay off to count half
ROUNDS = 4
# What holds amplitudes at what they were, against squared errors of the mean cell: where nobody
# is seen nothing is known.
RIDGE = 2e-3
# Of the frame before, the flow looks on from so much: where nothing is seen the sway fades.
KEPT = np.float32(0.8)


class SwayMeter:
    """Follows the sway of one call against its key picture; not for two threads at once."""

    def __init__(
        self, model: FaceModel, identity: Floats, key: Image, person: Mask, params: Params
    ) -> None:
        """Take the key picture.

        Args:
            model: the face model.
            identity: of the face, from `FaceModel.calibrate`.
            key: the picture of the call's crop, RGB uint8 (256, 256, 3).
            person: how far each of its pixels shows the person, uint8 (256, 256).
            params: its own fit.
        """
        self._identity = identity
        self._renderer = FaceRenderer(model, SIDE)
        self._home = self._renderer.pose(identity, params)
        self._key, self._person = grey(key), share(person)
        self._sway = still()

    def measure(self, picture: Image, params: Params) -> Floats:
        """Return a frame's sway, shape (32,), crop sides.

        Args:
            picture: the frame's crop, RGB uint8 (256, 256, 3).
            params: its fit, aligned.
        """
        drawn = self._renderer.draw(self._renderer.pose(self._identity, params), self._home)
        start = KEPT * self._sway
        self._sway = measure(grey(picture), self._key, self._person, drawn, start)
        return self._sway


def share(person: Mask) -> Floats:
    """Return a mask as `measure` takes it, (128, 128), in [0, 1]."""
    small = cv2.resize(person, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def measure(frame: Grey, key: Grey, person: Floats, drawn: FaceImage, start: Floats) -> Floats:
    """Return the sway that takes a moved key picture nearest to a frame, shape (32,).

    Args:
        frame: uint8 (S, S).
        key: the key picture, likewise.
        person: where the key picture shows the person, (S, S), in [0, 1].
        drawn: the frame's face against the key picture's, of the same size.
        start: a sway to look on from, shape (32,): flow finds what is near.
    """
    displacement = drawn.swayed(start)
    moved = mesh_warp(key, displacement)
    told = flow(frame, moved)
    unlike = mesh_warp(moved, told).astype(np.float32) - frame
    astray = told + mesh_warp(flow(moved, frame), told)
    trust = drawn.beside * mesh_warp(person, displacement)
    trust /= 1 + np.square(unlike / np.float32(UNLIKE))
    trust /= 1 + np.square(astray / np.float32(ASTRAY)).sum(axis=2)
    summed = np.concatenate([told * trust[..., None], trust[..., None]], axis=2)
    cells = cv2.resize(summed, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float64)
    weights = cells[..., 2].ravel()
    wanted = cells[..., :2].reshape(-1, 2) / (weights[:, None] + 1e-6)
    amplitudes = start + _robust_fit(wanted, weights)
    return amplitudes.clip(-SWAY_LIMIT, SWAY_LIMIT).astype(np.float32)


def _robust_fit(wanted: Array, weights: Array) -> Array:
    """Return the amplitudes, (32,), for flow (cells, 2), iteratively reweighted."""
    waves = cosines(CELLS)
    basis = np.einsum("ya,xb->yxab", waves, waves).reshape(CELLS**2, -1)
    ridge = RIDGE * CELLS**2 * np.eye(basis.shape[1])
    own = weights
    for _ in range(ROUNDS):
        weighted = basis * own[:, None]
        amplitudes = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ wanted)
        left = np.square(wanted - basis @ amplitudes).sum(axis=1)
        own = weights / (1 + left / OUTLYING**2)
    return np.asarray(amplitudes.T.ravel(), np.float64)
