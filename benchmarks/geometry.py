"""How near the mesh alone comes to the driving frame: no network, no training.

    python -m benchmarks.geometry --data build/pairs.npz --out OUT

measures the displacement that the generator starts from, on random pairs of the training clips
and, for each validation clip, on its first picture and later ones; writes `OUT/geometry.json` and
the contact sheet `OUT/geometry.png` (reference, driving frame, mesh warp, layers moved by the mesh,
and by the sway as well). The
figures of `shared.face_image`'s apron were searched for with it, on the training pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from benchmarks.results import write_result
from models.augmentation import Augmentation
from models.contact_sheet import write_sheet
from models.dataset import Pairs
from models.evaluate import psnr
from models.layering import enlarge, lay
from models.spade import warp
from models.tracked import TrackedClips
from models.trainer import to_signed
from shared.command import run_command

COLUMNS = ("copy", "mesh_warp", "layers", "swayed")
PARTS = ("train", "val")
SEED = 5

Row = list[Tensor]  # reference, driving frame, mesh warp, layers moved, and swayed


def chosen(pairs: Pairs, part: str, count: int) -> Iterator[tuple[int, int]]:
    """Yield indices of reference and driving pictures, `count` of each clip."""
    random = np.random.default_rng(SEED)
    for own in pairs.images:
        for place in np.linspace(1, len(own) - 1, count).astype(int):
            if part == "val":
                yield int(own[0]), int(own[place])
            else:
                reference, driving = random.choice(own, 2, replace=False)
                yield int(reference), int(driving)


def moved(pairs: Pairs, reference: int, driving: int) -> Row:
    """Return a pair's pictures, each (3, 256, 256) in [-1, 1]."""
    pair = pairs.pair(reference, driving, Augmentation.none(), swayed=False)
    swayed = pairs.pair(reference, driving, Augmentation.none())["displacement"][None]
    layers, target = to_signed(pair["reference"])[None], to_signed(pair["target"])
    displacement = pair["displacement"][None]
    photo = enlarge(layers)
    together = [lay(layers, photo, by)[0][0] for by in (displacement, swayed)]
    return [layers[0, :3], target, warp(layers[:, :3], displacement)[0], *together]


def measure(data: Path, part: str, count: int) -> tuple[dict[str, dict[str, float]], list[Row]]:
    """Return each clip's mean PSNRs, and the picture row that differs most from its reference."""
    clips = TrackedClips.load(data, part)
    pairs = Pairs(clips, SEED, 1, augment=False)
    scores: dict[str, list[list[float]]] = {}
    rows: dict[str, tuple[float, Row]] = {}
    for reference, driving in track(list(chosen(pairs, part, count)), f"{part} pairs"):
        row = moved(pairs, reference, driving)
        score = [psnr(row[i], row[1]) for i in (0, 2, 3, 4)]
        name = clips.names[clips.clip[clips.image_rows[driving]]]
        scores.setdefault(name, []).append(score)
        if name not in rows or score[0] < rows[name][0]:
            rows[name] = score[0], row
    means = {
        name: dict(zip(COLUMNS, map(float, np.mean(own, axis=0)), strict=True))
        for name, own in scores.items()
    }
    return means, [row for _, row in rows.values()]


def main(
    data: Annotated[Path, typer.Option(help="File of models.pack.")] = Path("build/pairs.npz"),
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("build"),
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of each clip.")] = 5,
) -> None:
    """Measure how near the mesh alone comes to the driving frame."""
    out.mkdir(parents=True, exist_ok=True)
    result: dict[str, dict[str, dict[str, float]]] = {}
    table = Table("mean PSNR, dB", *COLUMNS)
    for part in PARTS:
        result[part], rows = measure(data, part, pairs)
        means = np.mean([[clip[c] for c in COLUMNS] for clip in result[part].values()], axis=0)
        table.add_row(f"{part}, {len(result[part])} clips", *(f"{mean:.2f}" for mean in means))
    write_sheet(out / "geometry.png", rows)
    write_result(out / "geometry.json", result)
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
