"""How much of the learned residual flow to believe, on people of the training and on others.

    python -m models.residual --data build/pairs.npz

rebuilds later pictures of every clip from its first one with the exported networks, each time
with another share of the residual (`models.headgan.RESIDUAL_SHARE`), and prints mean PSNRs of the
rebuilt and of the warped picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.dataset import Pairs
from models.engine.weights import find_weights
from models.evaluate import Score, evaluate, validation_pairs
from models.exported import load_exported
from models.headgan import HeadGan
from models.presets import preset as preset_of
from models.tracked import TrackedClips
from shared.command import run_command
from shared.errors import BadInputError

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
PARTS = {"train": "people of the training", "val": "others"}
SEED = 1  # of nothing: pairs of first pictures are not drawn


def measure(network: HeadGan, data: Path, part: str, frames: int) -> list[Score]:
    """Return a part's scores, one for each of `SHARES`."""
    clips = validation_pairs(Pairs(TrackedClips.load(data, part), SEED, 1, augment=False), frames)
    scores = []
    for share in track(SHARES, PARTS[part]):
        network.flow.residual_share = share
        scores.append(evaluate(network, clips)[0])
    return scores


def main(
    data: Annotated[Path, typer.Option(help="File of models.pack.")] = Path("build/pairs.npz"),
    preset: Annotated[str, typer.Option(help="Whose networks.")] = "lite",
    weights: Annotated[
        Path | None, typer.Option(help="Folder of other networks than the shipped ones.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Pictures of each clip.")] = 8,
) -> None:
    """Measure how much of the learned residual flow to believe."""
    if not preset_of(preset).displacement:
        raise BadInputError(f"the flow of {preset} has no residual: it does not start from a mesh")
    network = HeadGan(preset_of(preset)).eval()
    load_exported(weights or find_weights(preset).encoder.parent, preset, network, new="none")
    scores = {part: measure(network, data, part, frames) for part in PARTS}
    columns = [f"{people}, {what}" for people in PARTS.values() for what in ("rebuilt", "warped")]
    table = Table("share, PSNR in dB", *columns)
    for number, share in enumerate(SHARES):
        found = [scores[part][number] for part in PARTS]
        values = [value for score in found for value in (score.psnr, score.warped)]
        table.add_row(f"{share:g}", *(f"{value:.2f}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
