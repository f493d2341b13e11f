"""Measuring what a call's pictures show beside their fits: sway, mouth and irises, calm."""

from __future__ import annotations

import numpy as np

from shared.detail import Detail, Floats
from shared.face_model import FaceModel
from shared.gate import Gate
from shared.iris_meter import IrisMeter
from shared.layers import Mask
from shared.mouth_meter import MouthMeter
from shared.params import Params
from shared.pictures import Image
from shared.sway_meter import SwayMeter
from shared.wire_table import wire_tables

# Quantiser steps (see `Gate`): the measured sway trembles by more of them than a fit does.
SWAY_MOVED, MOUTH_MOVED, IRIS_MOVED = 10.0, 5.0, 2.0
_MOVED = (SWAY_MOVED, MOUTH_MOVED, IRIS_MOVED)


class DetailMeter:
    """Measures one call's details, without their tremble; not for two threads at once."""

    def __init__(
        self, model: FaceModel, identity: Floats, key: Image, person: Mask, origin: Params
    ) -> None:
        """Take the key picture.

        Args:
            model: the face model.
            identity: the caller's, from `FaceModel.calibrate`.
            key: the key picture's crop, RGB uint8 (256, 256, 3).
            person: how far each of its pixels shows the person, uint8 (256, 256).
            origin: its own fit.
        """
        self._sway = SwayMeter(model, identity, key, person, origin)
        self._mouth = MouthMeter(model, identity, key, origin)
        self._iris = IrisMeter(self._mouth.face)
        self._model, self._identity = model, identity
        self._steps = [table.steps for table in wire_tables().detail]
        self._gates = [Gate(moved_steps=moved) for moved in _MOVED]

    def measure(self, picture: Image, params: Params, captured_ms: float) -> Detail:
        """Return a frame's detail.

        Args:
            picture: its crop, RGB uint8 (256, 256, 3).
            params: its fit, as it will be shown.
            captured_ms: its capture time.
        """
        points = self._model.points(self._identity, params)
        found = (
            self._sway.measure(picture, params),
            self._mouth.measure(picture, params),
            self._iris.measure(picture, points),
        )
        return Detail(
            *(
                (gate.apply(part / steps, captured_ms) * steps).astype(np.float32)
                for gate, steps, part in zip(self._gates, self._steps, found, strict=True)
            )
        )
