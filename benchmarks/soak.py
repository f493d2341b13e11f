"""A long call, and whether either end grows.

    python -m benchmarks.soak --out OUT [--minutes M]

plays the demo's clip again and again through a sender and a receiver in processes of their own,
and takes their memory, open files and threads, and the receiver's tasks, from time to time. It
writes `OUT/soak.json` and `OUT/soak.png`. Exit code 1: memory grows by more than 1 MB an hour
after the warm-up, or files, threads or tasks grow at all. Memory is what each process has
written to: pages of files come and go with other programs that map them. A third of the run, at
most five minutes, is warm-up and does not count. The shorter the run, the less its slope says: the
interval is in the JSON.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.call import READY_TIMEOUT_S, free_port
from benchmarks.child import Child
from benchmarks.clips import DEMO_CLIP
from benchmarks.growth import Growth, growth, warm_up_s
from benchmarks.packaged import fetch
from benchmarks.results import machine, write_result
from shared.command import run_command
from shared.errors import BadInputError

MEMORY_LIMIT = 1.0
_MEMORY = "memory_mb"
_SAMPLES = 600
_LEAST_GAP_S = 1.0
_ALLOWANCE_S = 120.0


@dataclass(slots=True)
class Series:
    """One figure of one process over time."""

    at_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Soak:
    """Everything that was sampled."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self._start_s = time.monotonic()

    def sample(self, who: str, figures: dict[str, float]) -> None:
        """Take the figures of one process."""
        at_s = time.monotonic() - self._start_s
        for name, value in figures.items():
            series = self.series.setdefault(f"{who} {name}", Series())
            series.at_s.append(round(at_s, 2))
            series.values.append(value)

    def verdict(self) -> dict[str, Growth]:
        """Return how each figure grew."""
        try:
            return {name: growth(one.at_s, one.values) for name, one in self.series.items()}
        except ValueError as error:
            raise BadInputError(f"the call was too short: {error}; give more --minutes") from error


def grows(name: str, how: Growth) -> bool:
    """Return whether a figure grew past its limit."""
    return how.per_hour > MEMORY_LIMIT if name.endswith(_MEMORY) else how.step >= 1


def process_figures(pid: int) -> dict[str, float]:
    """Return the memory a process has written to, open files and threads."""
    folder = Path("/proc") / str(pid)
    rollup = (folder / "smaps_rollup").read_text()
    # Clean pages are libraries' files: private or not as other programs map the same ones.
    private = sum(int(line.split()[1]) for line in rollup.splitlines() if "Private_Dirty" in line)
    return {
        _MEMORY: private / 1024,
        "files": float(sum(1 for _ in (folder / "fd").iterdir())),
        "threads": float(sum(1 for _ in (folder / "task").iterdir())),
    }


def task_count(url: str) -> dict[str, float]:
    """Return the receiver's tasks, as it tells them."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=10).text
    families = text_string_to_metric_families(text)
    named = {item.name: item.value for family in families for item in family.samples}
    return {"tasks": named["headcall_tasks"], "shown": named["headcall_frames_shown_total"]}


def run(clip: Path, out: Path, seconds: float, tick: Callable[[float], None]) -> Soak:
    """Run a call and sample both ends.

    Args:
        clip: what the sender plays, again and again.
        out: takes the logs.
        seconds: how long the call lasts.
        tick: told now and then how many seconds are over.

    Raises:
        ChildFailedError: one end failed.
    """
    port = free_port()
    url = f"http://localhost:{port}"
    gap_s = max(_LEAST_GAP_S, seconds / _SAMPLES)
    with Child("receiver", ["--port", str(port), "--once"], out / "soak-receiver.log") as receiver:
        receiver.wait_until(lambda: "Call with:" in receiver.output(), READY_TIMEOUT_S)
        soak, next_s, start_s = Soak(), 0.0, time.monotonic()
        arguments = [url, "--source", str(clip), "--loop", "--seconds", str(seconds)]

        with Child("sender", arguments, out / "soak-sender.log") as sender:

            def look() -> None:
                nonlocal next_s
                receiver.check()
                over_s = time.monotonic() - start_s
                if over_s < next_s or over_s > seconds:
                    return
                next_s = over_s + gap_s
                told = task_count(url)
                try:
                    soak.sample("sender", process_figures(sender.pid))
                except ProcessLookupError:
                    return  # it has ended; whoever waits for it tells why
                soak.sample("receiver", process_figures(receiver.pid) | {"tasks": told["tasks"]})
                tick(over_s)

            sender.wait(seconds + _ALLOWANCE_S, look)
        receiver.wait(_ALLOWANCE_S)
    return soak


def main(
    out: Annotated[Path, typer.Option(help="Folder for soak.json and soak.png.")] = Path("build"),
    minutes: Annotated[
        float, typer.Option(min=0.2, help="How long to call; a third warms up.")
    ] = 15.0,
    clip: Annotated[Path | None, typer.Option(help="A face clip; default: the demo's.")] = None,
) -> None:
    """Run a long call and see whether either end grows."""
    out.mkdir(parents=True, exist_ok=True)
    source, seconds = clip or fetch(DEMO_CLIP, out / "clips"), minutes * 60
    with Progress() as progress:
        task = progress.add_task("calling", total=seconds)
        soak = run(source, out, seconds, lambda done: progress.update(task, completed=done))
    verdict = soak.verdict()
    result = {
        "minutes": minutes,
        "machine": machine(),
        "growth": {
            name: asdict(how) | {"grows": grows(name, how)} for name, how in verdict.items()
        },
        "series": {name: asdict(series) for name, series in soak.series.items()},
    }
    write_result(out / "soak.json", result)
    draw(out / "soak.png", soak, seconds)
    _tell(verdict)
    if any(grows(name, how) for name, how in verdict.items()):
        raise typer.Exit(1)


def draw(path: Path, soak: Soak, seconds: float) -> None:
    """Write every figure over time; what is grey is the warm-up."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.4 * len(soak.series)), layout="constrained")
    plots: Any = figure.subplots(len(soak.series), 1, sharex=True, squeeze=False)
    for axes, (name, series) in zip(plots[:, 0], soak.series.items(), strict=True):
        axes.plot([at / 60 for at in series.at_s], series.values)
        axes.axvspan(0, warm_up_s(seconds) / 60, color="0.9")
        axes.set_title(name, fontsize=8, loc="left")
    plots[-1, 0].set_xlabel("minutes")
    figure.savefig(path, dpi=100)


def _tell(verdict: dict[str, Growth]) -> None:
    table = Table("figure", "an hour", "95 % interval", "last third - first", "grows")
    for name, how in verdict.items():
        interval = f"{how.low:+.2f} to {how.high:+.2f}"
        yes = "yes" if grows(name, how) else ""
        table.add_row(name, f"{how.per_hour:+.2f}", interval, f"{how.step:+.2f}", yes)
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
