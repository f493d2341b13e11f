"""How many simultaneous calls one machine receives.

    python -m benchmarks.load --out OUT [--callers 1,2,4] [--seconds S] [--engine E] [--preset P]
                              [--rooms]

writes `OUT/load.json` and `OUT/load.png`. A machine that receives several calls may run a receiver
process for each, on ports of their own, and so does this; with `--rooms` it runs one for all
(`receiver --calls`), and writes `OUT/load-rooms.json` and `.png`. The callers, all in one process
more, send what was tracked beforehand, over real data channels (`benchmarks.callers`): neither
cameras nor trackers take the receivers' cores. Nobody watches and nothing is written.

A picture's lateness runs from when the playout wanted it to when it was painted. A number of calls
holds a rate when every caller's pictures come at 98 % of it and the p95 of all pictures' lateness
is below 100 ms, with that number and with every smaller one that was tried. `each` lists hold the
quarters of the time. CPU time and memory are a call's share; memory that processes have in common
counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.callers import Script
from benchmarks.child import ChildFailedError
from benchmarks.clips import DEMO_CLIP, DEMO_START_S
from benchmarks.crowd import crowd
from benchmarks.load_plot import LIMIT_MS, RATES, draw
from benchmarks.packaged import fetch
from benchmarks.results import machine, write_result
from benchmarks.video import cut
from receiver.config import MOST_CALLS
from shared.command import run_command
from shared.errors import BadInputError
from shared.latency import Latency

ENOUGH = 0.98

MOST = 256


def counts(text: str, most: int = MOST) -> list[int]:
    """Return the numbers of callers that an option names, ascending.

    Args:
        text: as `1,2,4`.
        most: the largest number that is possible.

    Raises:
        BadInputError: it names none.
    """
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1 or found[-1] > most:
        raise BadInputError(f"--callers {text}: give numbers from 1 to {most}, such as 1,2,4")
    return found


def holds(steps: Sequence[dict[str, Any]], rate: float) -> int:
    """Return the largest number of callers that hold a rate, 0 for none.

    Args:
        steps: figures by number of callers, ascending.
        rate: pictures a second.
    """
    most = 0
    for step in steps:
        late = step["late_p95_ms"]
        if late is None or late >= LIMIT_MS or step["fps_least"] < ENOUGH * rate:
            break
        most = int(step["callers"])
    return most


def sentence(steps: Sequence[dict[str, Any]], rooms: bool = False) -> str:
    """Return in words how many calls hold which rate.

    Args:
        steps: figures by number of callers, ascending.
        rooms: whether one receiver took all calls.
    """
    way = "one receiver process with a room each" if rooms else "a receiver process each"
    tried = ", ".join(str(step["callers"]) for step in steps)
    said = []
    for rate in RATES:
        most = holds(steps, rate)
        calls = f"{most} calls hold" if most > 1 else "1 call holds"
        said.append(f"{calls if most else 'no number of calls holds'} {rate} fps")
    return (
        f"With {tried} simultaneous calls tried, {way}, {' and '.join(said)} "
        f"with a p95 lateness under {LIMIT_MS:.0f} ms."
    )


def report(steps: Sequence[dict[str, Any]]) -> Table:
    """Return the figures as a table."""
    table = Table(
        "callers", "fps each (least)", "late p50/p95 ms", "CPU s a second each",
        "CPU ms a picture", "MiB each", "callers' own lag p95 ms",
    )  # fmt: skip
    for step in steps:
        late = "/".join(
            "–" if step[f"late_p{share}_ms"] is None else f"{step[f'late_p{share}_ms']:.0f}"
            for share in (50, 95)
        )
        table.add_row(
            str(step["callers"]),
            f"{step['fps']:.1f} ({step['fps_least']:.1f})",
            late,
            f"{step['cpu_s_per_s']:.2f}",
            "–" if step["cpu_ms_per_picture"] is None else f"{step['cpu_ms_per_picture']:.0f}",
            f"{step['memory_mb']:.0f}",
            f"{step['sender']['lag_p95_ms']:.0f}",
        )
    return table


def run(
    numbers: Sequence[int],
    clip: Path,
    out: Path,
    measure: Callable[[int, Path, Path], dict[str, Any]],
) -> tuple[list[dict[str, Any]], str | None]:
    """Try rising numbers of callers until one is more than the machine can bear.

    Args:
        numbers: of callers, ascending.
        clip: shows a face.
        out: takes logs and reports.
        measure: returns the figures of a number of callers, given their script and a folder.

    Returns:
        The figures, and why it ended early, or None.

    Raises:
        HeadCallError: even the fewest calls did not come about.
    """
    folder = out / "load"
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "script.npz"
    Script.of(clip).save(script)
    steps: list[dict[str, Any]] = []
    for count in numbers:
        try:
            steps.append(measure(count, script, folder))
        except ChildFailedError as error:
            if not steps:
                raise
            return steps, f"{count} calls did not come about: {error}"
    return steps, None


def main(
    out: Annotated[Path, typer.Option(help="Folder for load.json and load.png.")] = Path("build"),
    callers: Annotated[str, typer.Option(help="Numbers of callers to try.")] = "1,2,4",
    seconds: Annotated[float, typer.Option(min=2, help="How long to measure each number.")] = 15.0,
    engine: Annotated[str, typer.Option(help="The receivers' engine.")] = "auto",
    preset: Annotated[str, typer.Option(help="The receivers' generator preset.")] = "lite",
    rooms: Annotated[
        bool, typer.Option("--rooms", help="One receiver for all callers, not one for each.")
    ] = False,
    latency: Annotated[Latency, typer.Option(help="The callers' setting.")] = Latency.NORMAL,
    clip: Annotated[Path | None, typer.Option(help="A face clip; default: the demo's.")] = None,
) -> None:
    """Measure how many simultaneous calls this machine receives."""
    numbers = counts(callers, MOST_CALLS if rooms else MOST)
    name = "load-rooms" if rooms else "load"
    out.mkdir(parents=True, exist_ok=True)
    if clip is None:
        clip = out / "load-source.mp4"
        cut(fetch(DEMO_CLIP, out / "clips"), DEMO_START_S, clip)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("tracking", total=len(numbers))

        def measure(count: int, script: Path, folder: Path) -> dict[str, Any]:
            progress.update(task, description=f"{count} callers")
            found = crowd(
                count, script, folder, seconds, engine=engine, preset=preset, latency=latency,
                rooms=rooms, tick=progress.refresh,
            )  # fmt: skip
            progress.advance(task)
            return found

        steps, failed = run(numbers, clip, out, measure)
    result = {
        "machine": machine(),
        "engine": engine,
        "preset": preset,
        "latency_setting": latency.value,
        "rooms": rooms,
        "holds": {f"{rate} fps": holds(steps, rate) for rate in RATES},
        "sentence": sentence(steps, rooms),
        "failed": failed,
        "steps": steps,
    }
    write_result(out / f"{name}.json", result)
    draw(out / f"{name}.png", result)
    console = Console()
    console.print(report(steps))
    console.print(result["sentence"], highlight=False)
    if failed:
        console.print(failed, markup=False, highlight=False)


if __name__ == "__main__":
    run_command(main)
