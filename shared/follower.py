"""What a sender makes of each frame of a call: its 35 floats and their detail, calm and exact."""

from __future__ import annotations

from shared.aligner import Aligner
from shared.crop import Points
from shared.detail_meter import DetailMeter
from shared.face_model import FaceModel
from shared.gated_filter import GatedFilter
from shared.layers import Mask
from shared.params import Floats, Frame, Params
from shared.pictures import Image


class Follower:
    """Follows one call's frames, in their order; not for two threads at once."""

    def __init__(
        self, model: FaceModel, identity: Floats, key: Image, person: Mask, origin: Params
    ) -> None:
        """Take the key picture that the call is calibrated on.

        Args:
            model: the face model.
            identity: the caller's, from `FaceModel.calibrate`.
            key: the key picture's crop, RGB uint8 (256, 256, 3).
            person: how far each of its pixels shows the person, uint8 (256, 256).
            origin: its own fit.
        """
        self._model, self._identity = model, identity
        self._aligner = Aligner(model, identity, key, origin)
        self._filter = GatedFilter(model)
        self._meter = DetailMeter(model, identity, key, person, origin)

    def follow(self, picture: Image, points: Points, sequence: int, captured_ms: int) -> Frame:
        """Return a frame as it is sent.

        Args:
            picture: its crop, RGB uint8 (256, 256, 3).
            points: as tracked, (478, 3), crop sides.
            sequence: its number.
            captured_ms: its capture time.
        """
        fitted = self._aligner.align(picture, self._model.fit(points, self._identity))
        params = self._filter.apply(fitted, captured_ms)
        # Against the face as it will be shown: what the filter holds back, the detail does not.
        return Frame(
            sequence, captured_ms, params, self._meter.measure(picture, params, captured_ms)
        )
