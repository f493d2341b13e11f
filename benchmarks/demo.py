"""The demo: a whole call on a real clip, measured, filmed and laid side by side.

Run it with ``make demo`` or ``python -m benchmarks.demo --out build``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.call import Call, run_call
from benchmarks.clips import DEMO_CLIP, DEMO_START_S
from benchmarks.comparison import Comparison, compare
from benchmarks.film import write_film, write_still
from benchmarks.packaged import fetch
from benchmarks.results import write_result
from benchmarks.video import cut
from shared.command import run_command
from shared.errors import BadInputError

DEFAULT_SECONDS = 12.0
INTERRUPTED = 130

console = Console()


def main(
    out: Annotated[Path, typer.Option(help="Folder for what the demo leaves.")] = Path("build"),
    clip: Annotated[
        Path | None, typer.Option(help="A video of a face; default: one from a PyPI package.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=2.0, max=60.0, help="How much of the clip to call with.")
    ] = DEFAULT_SECONDS,
) -> None:
    """Run a call between two processes on this machine and compare both ends."""
    # Ended from outside, the children must go too: the exception unwinds through them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        run(out, clip, seconds)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted; both ends of the call have been stopped.")
        raise typer.Exit(INTERRUPTED) from None


def run(out: Path, clip: Path | None, seconds: float) -> None:
    """Run the demo.

    Args:
        out: folder for what it leaves; made when missing.
        clip: a video of a face; None fetches the demo's own.
        seconds: how much of the clip to call with.

    Raises:
        HeadCallError: the clip cannot be had or used, or one end of the call failed.
    """
    started = time.monotonic()
    scratch = out / "demo"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot write into {out}: {error.strerror}") from error
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        source = clip or _fetch(progress, out / "clips", scratch)
        call = _call(progress, source, scratch, seconds)
        comparison = _compare(progress, source, call)
        _film(progress, call, comparison, out / "demo.mp4")
    write_still(call, comparison, out / "demo.png")
    figures = summarise(call, comparison)
    write_result(out / "demo.json", figures)
    console.print(table(figures))
    console.print(
        f"{out}/demo.mp4, {out}/demo.png and {out}/demo.json written "
        f"in {time.monotonic() - started:.0f} s",
        highlight=False,
    )


def summarise(call: Call, comparison: Comparison) -> dict[str, float | int | None]:
    """Return the demo's figures, the keys of demo.json."""
    return {
        "frames_sent": call.sender.frames_sent,
        "frames_shown": call.receiver.frames_shown,
        "sender_fps": round(call.sender.sender_fps, 2),
        "receiver_fps": round(call.receiver.receiver_fps, 2),
        "payload_kbps": round(call.sender.payload_kbps, 2),
        "wire_kbps": round(call.sender.wire_kbps, 2),
        "psnr": round(comparison.mean(lambda score: score.psnr), 2),
        "copy_psnr": round(comparison.mean(lambda score: score.copy_psnr), 2),
        "ssim": round(comparison.mean(lambda score: score.ssim), 4),
        "copy_ssim": round(comparison.mean(lambda score: score.copy_ssim), 4),
        "latency_ms": call.receiver.latency_ms.p50,
        "latency_p95_ms": call.receiver.latency_ms.p95,
        "lost": call.receiver.lost,
        "cores": os.cpu_count(),
    }


def table(figures: dict[str, float | int | None]) -> Table:
    """Return the demo's figures as a person reads them."""
    rows = Table(title="A call on this machine, rebuilt from its first frame alone")
    rows.add_column("What")
    rows.add_column("Measured", justify="right")
    latency = figures["latency_ms"]
    for what, value in (
        ("Frames sent / shown", f"{figures['frames_sent']} / {figures['frames_shown']}"),
        ("Sender, frames a second", f"{figures['sender_fps']}"),
        ("Receiver, frames a second", f"{figures['receiver_fps']}"),
        ("Floats as sent, payload", f"{figures['payload_kbps']} kbps"),
        ("On the wire, both directions, all headers", f"{figures['wire_kbps']} kbps"),
        ("PSNR of the rebuilt picture", f"{figures['psnr']} dB"),
        ("PSNR of showing the reference instead", f"{figures['copy_psnr']} dB"),
        ("SSIM, rebuilt / reference", f"{figures['ssim']} / {figures['copy_ssim']}"),
        ("Capture to picture, median", "unknown" if latency is None else f"{latency:.0f} ms"),
    ):
        rows.add_row(what, value)
    return rows


def _fetch(progress: Progress, kept: Path, scratch: Path) -> Path:
    stage = progress.add_task("Fetching the clip", total=None)
    passage = scratch / "source.mp4"
    cut(fetch(DEMO_CLIP, kept), DEMO_START_S, passage)
    progress.update(stage, total=1, completed=1)
    return passage


def _call(progress: Progress, source: Path, scratch: Path, seconds: float) -> Call:
    starting = progress.add_task("Starting the receiver", total=None)
    calling = progress.add_task("The call, in real time", total=seconds, start=False)
    began = 0.0

    def start() -> None:
        nonlocal began
        began = time.monotonic()
        progress.update(starting, total=1, completed=1)
        progress.start_task(calling)

    def tick() -> None:
        if began:
            progress.update(calling, completed=min(time.monotonic() - began, seconds))

    call = run_call(source, scratch, seconds, start, tick)
    progress.update(calling, completed=seconds)
    return call


def _compare(progress: Progress, source: Path, call: Call) -> Comparison:
    stage = progress.add_task("Measuring", total=len(call.receiver.frames))
    return compare(source, call, lambda: progress.advance(stage))


def _film(progress: Progress, call: Call, comparison: Comparison, path: Path) -> None:
    first = min(comparison.shown)
    stage = progress.add_task("Writing the film", total=len(comparison.originals) - first)
    write_film(call, comparison, path, lambda: progress.advance(stage))


if __name__ == "__main__":
    run_command(main)
