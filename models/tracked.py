"""Reading what `models.prepare` and `models.pack` write: points and pictures of many clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from models.soundtrack import LEVELS, Kept, kept_silence
from shared.crop import PICTURE_SIZE
from shared.detail import IRIS_SIZE, MOUTH_SIZE, SWAY_SIZE
from shared.errors import BadInputError
from shared.face_model import POINT_COUNT, FaceModel
from shared.layers import Mask
from shared.params import Floats, Params
from shared.pictures import Image

# Points are stored as 16-bit fixed point: 1/16384 of the crop's side is 0.03 % of the eye distance.
POINT_SCALE = 16384.0


@dataclass(frozen=True)
class TrackedClips:
    """All clips of one file.

    Attributes:
        names: clip names, in order.
        points: shape (N, 478, 3), float32, crop sides, clip after clip.
        times: shape (N,), frame number in its clip.
        sways: shape (N, 32), float32, crop sides, how hair and shoulders moved since a clip's first
            frame; zeros in a packed file: each pair of pictures has its own.
        mouths: shape (N, 6), float32, standard deviations, the inside of the mouth; likewise.
        irises: shape (N, 2), float32, standard deviations, the irises' colour; likewise.
        clip: shape (N,), index into `names`.
        image_rows: shape (M,), rows of `points` that have a picture.
        image_bytes: the JPEG files, one after the other.
        image_ends: shape (M + 1,), where each file starts and the last one ends.
        person_bytes: PNG files of where the person is in each picture, likewise.
        person_ends: likewise.
        sounds: shape (M, 300), features of the sound at each picture, in 8 bits; zeros where there
            is none, as in every photograph.
    """

    names: list[str]
    points: Floats
    times: npt.NDArray[np.int32]
    sways: Floats
    mouths: Floats
    irises: Floats
    clip: npt.NDArray[np.int32]
    image_rows: npt.NDArray[np.int32]
    image_bytes: npt.NDArray[np.uint8]
    image_ends: npt.NDArray[np.int64]
    person_bytes: npt.NDArray[np.uint8]
    person_ends: npt.NDArray[np.int64]
    sounds: Kept

    @classmethod
    def load(cls, path: Path, part: str = "") -> TrackedClips:
        """Read a file of `models.prepare`, or a part of one of `models.pack`.

        Args:
            path: the file.
            part: `train` or `val` of a packed file.

        Raises:
            BadInputError: there is no such file or it is not one of ours.
        """
        try:
            # Opened here: numpy would leave a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                held = {name: data[name] for name in data.files}
            prefix = f"{part}/" if part else ""
            own = {
                name.removeprefix(prefix): held[name] for name in held if name.startswith(prefix)
            }
            lengths = own["lengths"]
            return cls(
                names=[str(name) for name in own["names"]],
                points=_unpacked(path, own) if part else _prepared(path, own),
                times=own["times"],
                sways=_detail(path, part, own, "sways", SWAY_SIZE),
                mouths=_detail(path, part, own, "mouths", MOUTH_SIZE),
                irises=_detail(path, part, own, "irises", IRIS_SIZE),
                clip=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
                image_rows=own["image_rows"],
                image_bytes=own["image_bytes"],
                image_ends=np.concatenate([[0], np.cumsum(own["image_sizes"])]),
                person_bytes=own["person_bytes"],
                person_ends=np.concatenate([[0], np.cumsum(own["person_sizes"])]),
                # Files from before there was sound are silent.
                sounds=own.get("sounds", kept_silence(len(own["image_rows"]))),
            )
        except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
            raise BadInputError(
                f"{path} is not a file of tracked clips ({error}): run `python -m models.prepare "
                "DATA --out build`, and for training `python -m models.pack build`, first"
            ) from error

    def image(self, index: int) -> Image:
        """Return picture `index` of `image_rows`, RGB uint8 (256, 256, 3)."""
        data = self.image_bytes[self.image_ends[index] : self.image_ends[index + 1]]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)

    def sound(self, index: int) -> Floats:
        """Return the features of the sound at picture `index`, (300,), in [0, 1]."""
        return np.asarray(self.sounds[index] / LEVELS, np.float32)

    def person(self, index: int) -> Mask:
        """Return where the person is in picture `index`, uint8 (256, 256), 255 is wholly."""
        data = self.person_bytes[self.person_ends[index] : self.person_ends[index + 1]]
        mask = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
        return np.asarray(cv2.resize(mask, (PICTURE_SIZE, PICTURE_SIZE)), np.uint8)


def _detail(
    path: Path, part: str, own: dict[str, npt.NDArray[np.generic]], name: str, size: int
) -> Floats:
    """Return a part of the detail that a file of `models.prepare` holds; a packed one has none."""
    shape = (len(own["times"]), size)
    values = np.zeros(shape) if part else own[name]
    if values.shape != shape:
        raise BadInputError(
            f"{path} holds the {name} of another version: run `python -m models.prepare` again"
        )
    return values.astype(np.float32)


def _prepared(path: Path, own: dict[str, npt.NDArray[np.generic]]) -> Floats:
    """Return the points that a file of `models.prepare` holds."""
    points = own["points"]
    if points.shape[1:] != (POINT_COUNT, 3):
        raise BadInputError(
            f"{path} holds the points of another version: run `python -m models.prepare` again"
        )
    return points.astype(np.float32) / np.float32(POINT_SCALE)


def _unpacked(path: Path, own: dict[str, npt.NDArray[np.generic]]) -> Floats:
    """Return the points that packed coefficients stand for."""
    model = FaceModel.load()
    if str(own["face_model"]) != model.fingerprint:
        raise BadInputError(
            f"{path} was packed with another face model: run `python -m models.pack` again"
        )
    rows = zip(own["identity"].astype(np.float32), own["params"].astype(np.float32), strict=True)
    points = [model.points(identity, Params.from_vector(params)) for identity, params in rows]
    return np.asarray(points, np.float32)
