"""Learning the basis of the mouth's inside (`shared.mouth`) from tracked pictures.

    python -m models.build_mouth build/tracked-train.npz

Pictures of open mouths, those of a clip counting less the more there are; each as it is and
mirrored, since teeth are.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.progress import track
from safetensors.numpy import save_file

from models.tracked import TrackedClips
from shared.command import run_command
from shared.crop import PICTURE_SIZE
from shared.detail import MOUTH_SIZE, Floats
from shared.errors import BadInputError
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel
from shared.mouth import HALF_SEEN, mouth_grid, opening_of
from shared.mouth_meter import brightness, light_inside

log = logging.getLogger(__name__)

MIN_PICTURES = 20  # of open mouths; fewer make no basis
BRIGHTEST = 2.0  # over the face: a reflection is no tooth


def open_mouths(clips: TrackedClips, model: FaceModel) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return how light each open mouth is over its face, (N, 8, 9), and the clip of each, (N,)."""
    renderer = FaceRenderer(model, PICTURE_SIZE)
    lights, owners = [], []
    rows = clips.image_rows
    for picture in track(range(len(rows)), "looking into mouths"):
        points = clips.points[rows[picture]]
        if opening_of(mouth_grid(points)) < HALF_SEEN:
            continue
        identity = model.calibrate(points)
        params = model.fit(points, identity)
        grid, shape = mouth_grid(model.points(identity, params)), renderer.pose(identity, params)
        image = clips.image(picture)
        light = light_inside(image, grid) / brightness(image, renderer.draw(shape, shape).nmfc)
        lights.append(light.clip(0, BRIGHTEST))
        owners.append(clips.clip[rows[picture]])
    return np.array(lights, np.float32), np.array(owners, np.int64)


def basis_of(lights: Floats, owners: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """Return mean and directions, see `shared.mouth.MouthBasis`.

    Raises:
        BadInputError: there are too few mouths.
    """
    if len(lights) < MIN_PICTURES:
        raise BadInputError(
            f"only {len(lights)} pictures show an open mouth, of {MIN_PICTURES} that are needed: "
            "prepare more clips and portraits"
        )
    both = np.concatenate([lights, lights[:, :, ::-1]]).reshape(2 * len(lights), -1)
    weights = np.tile(1 / np.sqrt(np.bincount(owners)[owners]), 2)
    weights /= weights.sum()
    mean = weights @ both
    away = both - mean
    values, vectors = np.linalg.eigh((away * weights[:, None]).T @ away)
    leading = np.argsort(values)[::-1][:MOUTH_SIZE]
    directions = vectors[:, leading].T * np.sqrt(values[leading])[:, None]
    left = np.square(away - away @ vectors[:, leading] @ vectors[:, leading].T)
    log.info(
        "%d mouths of %d people; RMS %.3f about the mean, %.3f after %d numbers",
        len(lights), len(set(owners.tolist())),
        np.sqrt(weights @ np.square(away).mean(axis=1)),
        np.sqrt(weights @ left.mean(axis=1)), MOUTH_SIZE,
    )  # fmt: skip
    shape = lights.shape[1:]
    return {
        "mean": np.ascontiguousarray(mean.reshape(shape), np.float32),
        "directions": np.ascontiguousarray(directions.reshape(-1, *shape), np.float32),
    }


def main(
    tracked: Annotated[Path, typer.Argument(help="tracked-train.npz from models.prepare.")],
    out: Annotated[Path, typer.Option(help="The basis to write.")] = Path(
        "shared/assets/mouth.safetensors"
    ),
) -> None:
    """Learn how the inside of mouths looks and write it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    save_file(basis_of(*open_mouths(TrackedClips.load(tracked), FaceModel.load())), str(out))
    log.info("wrote %s", out)


if __name__ == "__main__":
    run_command(main)
