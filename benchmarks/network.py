"""Calls over bad networks, emulated on this machine.

    python -m benchmarks.network --profile NAME --out OUT [--seconds S] [--latency SETTING]

runs the real sender and the real receiver in two network namespaces with `benchmarks.emulator`
between them, and writes `OUT/network.json` and `OUT/network.png`. The sender plays the demo's clip
again and again. `--profile all` runs each; the JSON then holds the list `profiles` of what one
alone would give. Reports and logs are in `OUT/network/NAME`.

* Latency is from capture to the shown picture on the clock that both processes share.
* `setup_s` is from the sender's first attempt to join (its programs loaded) to the first picture.
* A freeze, and stale, are defined in `benchmarks.smoothness`; the call, for `freeze_ratio`, lasts
  from the first picture to the moment the sender stops, or should have stopped.
* `wire_kbps` counts every byte of every IP packet put on the link in both directions, lost ones
  too, from the first frame sent to the last; `sender_wire_kbps` is the program's own count.

Needs root: `unshare --user --map-root-user` before the command will do.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.clips import DEMO_CLIP, DEMO_START_S
from benchmarks.network_call import NetworkCall, run_call, summarise
from benchmarks.network_plot import draw
from benchmarks.packaged import fetch
from benchmarks.profiles import NAMES, Profile, profile
from benchmarks.results import write_result
from benchmarks.video import cut
from shared.command import run_command
from shared.errors import BadInputError

INTERRUPTED = 130

console = Console()


def main(
    profile_name: Annotated[
        str, typer.Option("--profile", help=f"One of {', '.join(NAMES)}, or all.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for network.json and network.png.")] = Path(
        "build"
    ),
    seconds: Annotated[
        float, typer.Option(min=2.0, max=3600.0, help="How long each call is.")
    ] = 30.0,
    latency: Annotated[
        str | None, typer.Option(help="Passed on to the sender; default: what it takes itself.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything in the link that is chance.")] = 2,
    clip: Annotated[Path | None, typer.Option(help="A face clip; default: the demo's.")] = None,
) -> None:
    """Measure calls over bad networks."""
    # Ended from outside, the children must go too: the exception unwinds through them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = NAMES if profile_name == "all" else (profile_name,)
    profiles = [profile(name, seconds) for name in names]
    try:
        calls = run(profiles, out, seconds, latency, seed, clip)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted; both ends and the link have been stopped.")
        raise typer.Exit(INTERRUPTED) from None
    results = [summarise(call) for call in calls]
    result = {"profiles": results} if profile_name == "all" else results[0]
    write_result(out / "network.json", result)
    draw(out / "network.png", calls)
    console.print(table(results))
    for one in results:
        if one["failed"]:
            console.print(f"{one['profile']}: {one['failed']}", markup=False, highlight=False)
    console.print(f"{out}/network.json and {out}/network.png written", highlight=False)


def run(
    profiles: list[Profile],
    out: Path,
    seconds: float,
    latency: str | None,
    seed: int,
    clip: Path | None,
) -> list[NetworkCall]:
    """Make a call over each link, one after the other.

    Args:
        profiles: the links.
        out: folder for what is left; made when missing.
        seconds: how long each call is.
        latency: the sender's setting, or None.
        seed: of the links' chances.
        clip: a video of a face; None fetches the demo's and takes its second half.

    Raises:
        HeadCallError: no link can be emulated here, the clip cannot be had, or an end failed.
    """
    scratch = out / "network"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot write into {out}: {error.strerror}") from error
    if clip is None:
        clip = scratch / "source.mp4"
        cut(fetch(DEMO_CLIP, out / "clips"), DEMO_START_S, clip)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        return [
            _run_one(progress, link, clip, scratch / link.name, seconds, latency, seed)
            for link in profiles
        ]


def table(results: list[dict[str, Any]]) -> Table:
    """Return the figures as a person reads them, a row for each profile."""
    rows = Table(box=None, padding=(0, 1, 0, 0))  # fits a terminal of 80
    rows.add_column("profile", no_wrap=True)
    for name in (
        "sent",
        "shown",
        "fps",
        "frozen",
        "p50/p95/p99 ms",
        "setup",
        "kbps",
        "stale",
        "rejoin",
    ):
        rows.add_column(name, justify="right", no_wrap=True)
    for result in results:
        latency = result["latency_ms"].values()
        rows.add_row(
            result["profile"],
            str(result["frames_sent"]),
            str(result["frames_shown"]),
            f"{result['shown_fps']:.1f}",
            f"{100 * result['freeze_ratio']:.1f} %",
            "/".join("–" if value is None else f"{value:.0f}" for value in latency),
            "–" if result["setup_s"] is None else f"{result['setup_s']:.1f} s",
            f"{result['wire_kbps']:.1f}",
            str(result["stale_shown"]),
            str(result["reconnects"]),
        )
    return rows


def _run_one(
    progress: Progress,
    link: Profile,
    clip: Path,
    folder: Path,
    seconds: float,
    latency: str | None,
    seed: int,
) -> NetworkCall:
    folder.mkdir(exist_ok=True)
    task = progress.add_task(f"{link.name}: joining", total=seconds)
    began = 0.0

    def start() -> None:
        nonlocal began
        began = time.monotonic()
        progress.update(task, description=link.name)

    def tick() -> None:
        if began:
            progress.update(task, completed=min(time.monotonic() - began, seconds))

    call = run_call(
        link, clip, folder, seconds, setting=latency, seed=seed, on_start=start, tick=tick
    )
    progress.update(task, description=link.name, completed=seconds)
    return call


if __name__ == "__main__":
    run_command(main)
