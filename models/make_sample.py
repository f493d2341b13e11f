"""Makes the real frames that engines are checked and quantised on, from a clip.

    python -m models.make_sample build/clips/WolfgangLanger_Pexels.mp4

writes `models/weights/sample.npz`: the first frame in layers, and the numbers of frames spread over
the clip, mouths and irises included, each with those of the two frames before it.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from models.engine.sample import SAMPLE
from models.prepare import clip_frames, frame_times
from shared.command import run_command
from shared.crop import Crop
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.iris_meter import IrisMeter
from shared.layers import Layers
from shared.mouth_meter import MouthMeter
from shared.params import Floats, Params
from shared.person import PersonFinder
from shared.tracker import Tracker

PAST = 3  # the frame and the two before it


def make_sample(clip: Path, path: Path, frames: int) -> int:
    """Write the sample; returns how many frames are in it.

    Raises:
        BadInputError: the clip's first frame shows no face.
    """
    model = FaceModel.load()
    stride = max(PAST, len(frame_times(clip)) // (frames + 1))
    past: deque[tuple[Floats, ...]] = deque(maxlen=PAST)
    runs: list[tuple[Floats, ...]] = []
    home: Params | None = None
    with Tracker() as tracker, PersonFinder() as finder:
        for number, frame in enumerate(clip_frames(clip)):
            points = tracker.track(frame)
            if home is None:
                if points is None:
                    raise BadInputError(f"{clip} shows no face in its first frame")
                crop = Crop.around(points, frame.shape[1], frame.shape[0])
                identity = model.calibrate(crop.to_units(points))
                picture = crop.cut(frame)
                layers = Layers.split(picture, finder.find(picture)).stack()
                home = model.fit(crop.to_units(points), identity)
                mouth_meter = MouthMeter(model, identity, picture, home)
                iris_meter = IrisMeter(mouth_meter.face)
            if points is None:
                past.clear()
                continue
            picture, points = crop.cut(frame), crop.to_units(points)
            params = model.fit(points, identity)
            mouth, iris = mouth_meter.measure(picture, params), iris_meter.measure(picture, points)
            past.appendleft((params.to_vector(), mouth, iris))
            if number and number % stride == 0 and len(past) == PAST and len(runs) < frames:
                runs.append(tuple(np.stack(part) for part in zip(*past, strict=True)))
    if home is None or not runs:
        raise BadInputError(f"{clip} is too short for a sample")
    vectors, mouths, irises = (np.stack(part) for part in zip(*runs, strict=True))
    np.savez_compressed(
        path,
        layers=layers,
        identity=identity,
        home=home.to_vector(),
        runs=vectors,
        mouths=mouths,
        irises=irises,
    )
    return len(runs)


def main(
    clip: Annotated[Path, typer.Argument(help="A clip of one face.")],
    out: Annotated[Path, typer.Option(help="Folder of the file.")] = Path("models/weights"),
    frames: Annotated[int, typer.Option(help="How many frames to keep, at most.")] = 24,
) -> None:
    """Make the sample of real frames."""
    make_sample(clip, out / SAMPLE, frames)


if __name__ == "__main__":
    run_command(main)
