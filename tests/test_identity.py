"""Dlib's embedding: the same person near, another far. Its 100 MB are fetched by the benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.identity import FILES, Identity
from benchmarks.packaged import is_kept
from benchmarks.sending import send
from tests.faces import face_model

SAME = 0.6  # dlib's threshold
KEPT = Path(__file__).resolve().parent.parent / "build" / "packages"


def test_one_person_is_near_and_another_far(data_dir: Path) -> None:
    pytest.importorskip("dlib", reason="dlib is not installed (pip install -e '.[quality]')")
    if not all(is_kept(file, KEPT) for file in FILES):
        pytest.skip("dlib's networks are not in build/packages (benchmarks.quality fetches them)")
    identity = Identity(KEPT)
    clips = [data_dir / "val" / name for name in ("may.mp4", "lp-d10.mp4")]
    found = []
    for clip in clips:
        sent = list(send(clip, face_model(), 12))
        found.append([identity.embed(frame.picture, frame.points) for frame in (sent[0], sent[-1])])
    same = [np.linalg.norm(first - last) for first, last in found]
    assert max(same) < SAME
    assert np.linalg.norm(found[0][0] - found[1][0]) > SAME
