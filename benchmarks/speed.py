"""Milliseconds of every stage of a frame on this machine, and what a whole call takes of it.

    python -m benchmarks.speed --out OUT [--engine E]... [--preset P]... [--seconds S] [--clip C]

writes `OUT/speed.json` and `OUT/speed.png`. Engines and presets, each given once or more often,
are measured side by side, every one with every other; the first one's figures stand at the top of
the JSON, all of them in the list `runs`.

* The stages but `send`: the demo's clip, scaled to 640x480 as a webcam gives it, passes through the
  sender's and the receiver's in one process. Combinations take turns, so that what disturbs the
  machine disturbs all alike; `_each` lists hold the figures of each turn. `total` is their sum;
  `receiver_fps` and `sender_fps` are what each side could do with nothing else running: the
  receiver's is measured, since it paints several pictures at a time where the engine can.
* `send`: from the call that sends a packet to the handler that receives it, over a real data
  channel on loopback.
* A real call, a process for each side, gives start-up, memory, CPU, pictures a second of a clip at
  its own pace, and the time from capture to picture (`benchmarks.footprint`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.channel import passages
from benchmarks.clips import DEMO_CLIP
from benchmarks.footprint import LEAST_S, footprint
from benchmarks.packaged import fetch
from benchmarks.results import machine, write_result
from benchmarks.speed_plot import draw, name_of
from benchmarks.stages import (
    ROUNDS,
    SENDER,
    Combination,
    figures,
    measure,
    webcam_frames,
)
from shared.command import run_command
from shared.errors import BadInputError
from shared.latency import Latency

# A packet every 20 ms: the loop sleeps between two, as it does in a call.
SEND_GAP_S = 0.02
SEND_WARM_UP = 10
ORDER = ("track", "fit", "encode", "send", "decode", "render", "generate", "total")


def send_times(packets: list[bytes]) -> list[list[float]]:
    """Return the milliseconds that packets are on their way, in as many rounds as stages have."""
    times = asyncio.run(passages(packets[:SEND_WARM_UP] + packets, SEND_GAP_S))[SEND_WARM_UP:]
    return [list(part) for part in np.array_split(times, ROUNDS) if len(part)]


def summarise(one: Combination, sending: list[list[float]]) -> dict[str, Any]:
    """Return a combination's figures, those of the contract.

    Args:
        one: measured.
        sending: milliseconds of the stage `send`, by round.
    """
    stages = {
        stage: figures(
            sending if stage == "send" else [[s[stage] for s in part] for part in one.rounds]
        )
        for stage in ORDER
    }
    result: dict[str, Any] = {
        "engine": one.engine,
        "engine_name": one.engine_name,
        "preset": one.preset,
        "stages": stages,
        "frames": sum(map(len, one.rounds)),
    }
    rounds = zip(*(stages[name]["median_ms_each"] for name in SENDER), strict=True)
    return result | {
        "receiver_fps": float(np.median(one.rates)),
        "receiver_fps_each": one.rates,
        "sender_fps": _fps([stages[name]["median_ms"] for name in SENDER]),
        "sender_fps_each": [_fps(medians) for medians in rounds],
    }


def _fps(medians: Iterable[float]) -> float:
    return 1000 / sum(medians)


def report(result: dict[str, Any]) -> Table:
    """Return the figures as a table, a column for each combination."""
    runs = result["runs"]
    table = Table("median (p95)", *map(name_of, runs))
    for stage in ORDER:
        times = [run["stages"][stage] for run in runs]
        table.add_row(
            f"{stage}, ms", *(f"{one['median_ms']:.2f} ({one['p95_ms']:.2f})" for one in times)
        )
    for side in ("sender", "receiver"):
        table.add_row(f"{side} alone, fps", *(f"{run[f'{side}_fps']:.0f}" for run in runs))
    if "cpu_s_per_s" in runs[0]:
        rates = (f"{run['call_fps']:.1f} of {run['sent_fps']:.1f}" for run in runs)
        table.add_row("in a call, fps", *rates)
        delays = [run["latency_ms"] for run in runs]
        table.add_row(
            "capture to picture, ms", *(f"{one['p50']:.0f} ({one['p95']:.0f})" for one in delays)
        )
        for side in ("sender", "receiver"):
            cpu = [run["cpu_s_per_s"][side] for run in runs]
            table.add_row(f"{side}, CPU s a second", *(f"{value:.2f}" for value in cpu))
            memory = [run["memory_mb"][side] for run in runs]
            table.add_row(f"{side}, MiB", *(f"{value:.0f}" for value in memory))
        startup = [run["startup_s"] for run in runs]
        table.add_row("receiver up, s", *(f"{one['receiver']:.1f}" for one in startup))
        table.add_row("then first picture, s", *(f"{one['first_picture']:.1f}" for one in startup))
    return table


def run(
    clip: Path,
    out: Path,
    combinations: list[Combination],
    seconds: float,
    call_seconds: float,
    tick: Callable[[], None],
    latency: Latency = Latency.NORMAL,
) -> dict[str, Any]:
    """Measure everything.

    Args:
        clip: shows a face.
        out: takes the calls' logs.
        combinations: what to measure.
        seconds: how long the stages of each are measured.
        call_seconds: how long a call with each is; 0 for none.
        tick: called ROUNDS + 1 times for each.
        latency: the sender's setting in those calls.

    Raises:
        HeadCallError: something given cannot be used, or a call failed.
    """
    packets = measure(webcam_frames(clip), combinations, seconds, tick)
    sending = send_times(packets)
    runs = []
    for one in combinations:
        found = summarise(one, sending)
        if call_seconds:
            folder = out / "speed"
            folder.mkdir(exist_ok=True)
            found |= footprint(clip, folder, call_seconds, one.engine, one.preset, latency=latency)
        runs.append(found)
        tick()
    about = {"machine": machine(), "seconds": seconds, "latency": latency.value}
    return {**runs[0], **about, "runs": runs}


def main(
    out: Annotated[Path, typer.Option(help="Folder for speed.json and speed.png.")] = Path("build"),
    engine: Annotated[
        list[str] | None, typer.Option(help="Engine; give it again for more than one.")
    ] = None,
    preset: Annotated[list[str] | None, typer.Option(help="Generator preset; likewise.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long to measure the stages of each.")
    ] = 15.0,
    call_seconds: Annotated[
        float, typer.Option(min=0, help="How long a call with each; 0 makes none.")
    ] = 10.0,
    clip: Annotated[Path | None, typer.Option(help="A face clip; default: the demo's.")] = None,
    latency: Annotated[
        Latency, typer.Option(help="How long frames of the call may wait for one another.")
    ] = Latency.NORMAL,
) -> None:
    """Measure the milliseconds of every stage of a frame, and what a call takes."""
    if 0 < call_seconds < LEAST_S:
        raise BadInputError(f"--call-seconds {call_seconds:g} is too short: give {LEAST_S:g}, or 0")
    out.mkdir(parents=True, exist_ok=True)
    source = clip or fetch(DEMO_CLIP, out / "clips")
    pairs = product(dict.fromkeys(preset or ["lite"]), dict.fromkeys(engine or ["auto"]))
    combinations = [Combination(one, shape) for shape, one in pairs]
    with Progress() as progress:
        task = progress.add_task("measuring", total=(ROUNDS + 1) * len(combinations))
        result = run(
            source,
            out,
            combinations,
            seconds,
            call_seconds,
            lambda: progress.advance(task),
            latency,
        )
    write_result(out / "speed.json", result)
    draw(out / "speed.png", result)
    Console().print(report(result))


if __name__ == "__main__":
    run_command(main)
