"""The prepared data made small: one file that can travel to where a GPU is.

    python -m models.pack build --out build/pairs.npz

takes `tracked-train.npz` and `tracked-val.npz` of `models.prepare`. Points become the face
model's numbers (115 instead of 1404 a frame), of the frames that pairs need: those with a picture
and the two before each. Pictures become WebP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import Progress

from models.headgan import PAST
from models.tracked import TrackedClips
from shared.command import run_command
from shared.face_model import FaceModel
from shared.pictures import Image

WEBP_QUALITY = 85  # 41 dB against the prepared JPEG, at half its size
PARTS = ("train", "val")

Arrays = dict[str, npt.NDArray[np.generic]]


def needed_rows(clips: TrackedClips) -> npt.NDArray[np.int64]:
    """Return the rows with a picture and the two before each in its clip, ascending."""
    wanted = set()
    for row in clips.image_rows:
        wanted |= {
            int(row) - back
            for back in range(PAST)
            if row >= back and clips.clip[row - back] == clips.clip[row]
        }
    return np.array(sorted(wanted), np.int64)


def pack(clips: TrackedClips, model: FaceModel, progress: Progress) -> Arrays:
    """Return the arrays of one part."""
    rows = needed_rows(clips)
    identities, params = [], []
    for row in progress.track(rows, description="fitting"):
        identity = model.calibrate(clips.points[row])
        identities.append(identity)
        params.append(model.fit(clips.points[row], identity).to_vector())
    pictures = [
        encode(clips.image(index))
        for index in progress.track(range(len(clips.image_rows)), description="pictures")
    ]
    return {
        "names": np.array(clips.names),
        "face_model": np.array(model.fingerprint),
        "lengths": np.bincount(clips.clip[rows], minlength=len(clips.names)).astype(np.int32),
        "times": clips.times[rows],
        "identity": np.asarray(identities, np.float16),  # in standard deviations: 0.001 is enough
        "params": np.asarray(params, np.float32),
        "image_rows": np.searchsorted(rows, clips.image_rows).astype(np.int32),
        "image_bytes": np.frombuffer(b"".join(pictures), np.uint8),
        "image_sizes": np.array([len(picture) for picture in pictures], np.int32),
        "person_bytes": clips.person_bytes,
        "person_sizes": np.diff(clips.person_ends).astype(np.int32),
        "sounds": clips.sounds,
    }


def encode(image: Image) -> bytes:
    """Return an RGB picture as a WebP file."""
    parameters = [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY]
    _, data = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
    return data.tobytes()


def main(
    data: Annotated[Path, typer.Argument(help="Folder with models.prepare's files.")],
    out: Annotated[Path, typer.Option(help="The packed file.")] = Path("build/pairs.npz"),
) -> None:
    """Pack prepared data into one small file."""
    model = FaceModel.load()
    clips = {part: TrackedClips.load(data / f"tracked-{part}.npz") for part in PARTS}
    with Progress() as progress:
        arrays: Arrays = {
            f"{part}/{name}": array
            for part in PARTS
            for name, array in pack(clips[part], model, progress).items()
        }
    np.savez(out, **arrays)  # type: ignore[arg-type]  # numpy's stub wants allow_pickle typed
    Console().print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_command(main)
