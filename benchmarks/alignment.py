"""How much nearer the sender's alignment brings the moved key picture to each frame.

    python -m benchmarks.alignment CLIPS_DIR --out OUT

prints a table, and writes `OUT/alignment.json` and `OUT/alignment.png` (driving frame, and the key
picture's difference from it when it is moved by the fit to the tracked points and by the aligned
fit, thrice as strong). No network is asked: the mesh alone moves the key picture. PSNR of the whole
picture and of the face; tremble as in `benchmarks.smoothing`; milliseconds are the median's of one
frame, with nothing beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.panels import Panel, side_by_side
from benchmarks.results import write_result
from benchmarks.sending import Sent, clips_in, send
from benchmarks.smoothing import series, tremble
from shared.command import run_command
from shared.crop import PICTURE_SIZE
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel
from shared.mesh_warp import mesh_warp
from shared.metrics import psnr
from shared.pictures import Image

COLUMNS = {
    "tracked_psnr": "tracked, dB",
    "aligned_psnr": "aligned, dB",
    "tracked_face_psnr": "tracked, face",
    "aligned_face_psnr": "aligned, face",
    "tremble_ratio": "tremble over tracked",
    "milliseconds": "ms",
}
KINDS = ("tracked", "aligned")
STRONGER = 3  # differences, to be seen

Face = npt.NDArray[np.bool_]


def face_psnr(original: Image, other: Image, face: Face) -> float:
    """Return the PSNR over the pixels of the face."""
    error = np.square(original.astype(np.float64) - other)[face].mean()
    return float(-10 * np.log10(max(error, 1e-9) / 255**2))


def difference(original: Image, other: Image) -> Image:
    """Return how two pictures differ, grey being no difference."""
    error = STRONGER * (other.astype(np.int16) - original) + 128
    return np.asarray(np.clip(error, 0, 255), np.uint8)


def moved_by(sent: list[Sent], model: FaceModel) -> tuple[dict[str, list[Image]], list[Face]]:
    """Return the key picture moved by each frame's two fits, and where the frames show a face."""
    renderer = FaceRenderer(model, PICTURE_SIZE)
    identity, home = sent[0].identity, renderer.pose(sent[0].identity, sent[0].fitted)
    pictures: dict[str, list[Image]] = {kind: [] for kind in KINDS}
    faces = []
    for frame in sent[1:]:
        for kind, params in zip(KINDS, (frame.tracked, frame.fitted), strict=True):
            drawn = renderer.draw(renderer.pose(identity, params), home)
            pictures[kind].append(mesh_warp(sent[0].picture, drawn.displacement))
        faces.append(drawn.nmfc[..., 2] > 0)
    return pictures, faces


def measure(sent: list[Sent], model: FaceModel) -> tuple[dict[str, float], Image]:
    """Return one clip's figures, and its frame that gained most in pictures."""
    pictures, faces = moved_by(sent, model)
    originals = [frame.picture for frame in sent[1:]]
    figures: dict[str, float] = {}
    gains = np.zeros(len(originals))
    for kind, sign in zip(KINDS, (-1, 1), strict=True):
        triples = list(zip(originals, pictures[kind], faces, strict=True))
        gains += sign * np.array([face_psnr(*triple) for triple in triples])
        figures[f"{kind}_psnr"] = float(np.mean([psnr(one, two) for one, two, _ in triples]))
        figures[f"{kind}_face_psnr"] = float(np.mean([face_psnr(*triple) for triple in triples]))
    tracked = series([frame.tracked for frame in sent])
    aligned = series([frame.fitted for frame in sent])
    figures["tremble_ratio"] = tremble(aligned, tracked) / tremble(tracked, tracked)
    figures["milliseconds"] = float(np.median([frame.milliseconds["align"] for frame in sent]))
    most = int(np.argmax(gains))
    panels = [Panel(originals[most], f"frame {sent[most + 1].number}", "driving")]
    panels += [
        Panel(difference(originals[most], pictures[kind][most]), "", f"{kind}, difference")
        for kind in KINDS
    ]
    return figures, side_by_side(panels)


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("build"),
    frames: Annotated[int | None, typer.Option(help="Frames of each clip, at most.")] = None,
) -> None:
    """Measure the sender's alignment on a folder of clips."""
    model = FaceModel.load()
    results: list[dict[str, Any]] = []
    rows: list[Image] = []
    for clip in track(clips_in(clips), "aligning"):
        figures, row = measure(list(send(clip, model, frames)), model)
        results.append({"clip": clip.stem} | figures)
        rows.append(row)
    mean = {name: float(np.mean([clip[name] for clip in results])) for name in COLUMNS}
    table = Table("clip", *COLUMNS.values())
    for row_of in [*results, {"clip": "mean"} | mean]:
        table.add_row(str(row_of["clip"]), *(f"{row_of[name]:.2f}" for name in COLUMNS))
    out.mkdir(parents=True, exist_ok=True)
    write_result(out / "alignment.json", {"clips": results, "mean": mean})
    picture = cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "alignment.png"), picture)
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
