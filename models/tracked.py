"""Reading the files that `models.prepare` writes: tracked points and pictures of many clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from models.prepare import POINT_SCALE
from shared.errors import BadInputError
from shared.tracker import Image, Points


@dataclass(frozen=True)
class TrackedClips:
    """All clips of one file.

    Attributes:
        names: clip names, in order.
        points: shape (N, 468, 3), float32, crop sides, clip after clip.
        times: shape (N,), frame number in its clip.
        clip: shape (N,), index into `names`.
        image_rows: shape (M,), rows of `points` that have a picture.
        image_bytes: the JPEG files, one after the other.
        image_ends: shape (M + 1,), where each file starts and the last one ends.
    """

    names: list[str]
    points: Points
    times: npt.NDArray[np.int32]
    clip: npt.NDArray[np.int32]
    image_rows: npt.NDArray[np.int32]
    image_bytes: npt.NDArray[np.uint8]
    image_ends: npt.NDArray[np.int64]

    @classmethod
    def load(cls, path: Path) -> TrackedClips:
        """Read a file written by `models.prepare`.

        Raises:
            BadInputError: there is no such file or it is not one of ours.
        """
        try:
            # Opened here: numpy would leave a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                lengths = data["lengths"]
                return cls(
                    names=[str(name) for name in data["names"]],
                    points=data["points"].astype(np.float32) / np.float32(POINT_SCALE),
                    times=data["times"],
                    clip=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
                    image_rows=data["image_rows"],
                    image_bytes=data["image_bytes"],
                    image_ends=np.concatenate([[0], np.cumsum(data["image_sizes"])]),
                )
        except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
            raise BadInputError(
                f"{path} is not a file of tracked clips ({error}): "
                "run `python -m models.prepare DATA --out build` first"
            ) from error

    def image(self, index: int) -> Image:
        """Return picture `index` of `image_rows`, RGB uint8 (256, 256, 3)."""
        data = self.image_bytes[self.image_ends[index] : self.image_ends[index + 1]]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
