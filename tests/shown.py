"""A real face as training sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.sending import send
from shared.face_image import FaceRenderer
from tests.faces import face_model


@dataclass(frozen=True)
class Shown:
    """Picture (1, 3, 256, 256), in [-1, 1], face image (1, 3, 256, 256), points (478, 3)."""

    image: Tensor
    face: Tensor
    points: Tensor

    @classmethod
    def of(cls, clip: Path) -> Shown:
        """Return a clip's fifth frame."""
        frame = list(send(clip, face_model(), 5))[-1]
        renderer = FaceRenderer(face_model())
        shape = renderer.pose(frame.identity, frame.tracked)
        nmfc = renderer.draw(shape, shape).nmfc
        image, face = (
            torch.from_numpy(np.ascontiguousarray(own.transpose(2, 0, 1)[None], np.float32))
            for own in (frame.picture, nmfc)
        )
        return cls(image / 127.5 - 1, face, torch.from_numpy(frame.points))
