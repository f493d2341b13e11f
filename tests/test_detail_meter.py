"""What a call's pictures show beside their fits, calm."""

from __future__ import annotations

import numpy as np

from shared.detail_meter import DetailMeter
from tests.faces import face_model, neutral, textured


def test_what_trembles_in_the_picture_is_calmed() -> None:
    random = np.random.default_rng(0)
    key, home = textured(random), neutral()
    everybody = np.full(key.shape[:2], 255, np.uint8)
    calm, bare = (
        DetailMeter(face_model(), np.zeros(80, np.float32), key, everybody, home) for _ in range(2)
    )
    shown, measured = [], []
    for number in range(40):
        noisy = np.clip(key + random.normal(0, 12, key.shape), 0, 255).astype(np.uint8)
        shown.append(calm.measure(noisy, home, 40 * number).parts)
        # After a gap the gate holds nothing back.
        measured.append(bare.measure(noisy, home, 1000 * number).parts)
    parts = zip(zip(*shown, strict=True), zip(*measured, strict=True), strict=True)
    for left, (own, theirs) in zip((0.5, 0.5, 0.8), parts, strict=True):  # irises are calm as it is
        assert own[0].dtype == np.float32
        assert np.abs(np.diff(own, axis=0)).mean() < left * np.abs(np.diff(theirs, axis=0)).mean()
