"""What changed between two results of the same benchmark.

    python -m benchmarks.compare OLD.json NEW.json [--threshold 3] [--all]

prints the figures that changed by more than the threshold, in percent, and whether that is better
or worse. Where a figure's repeats are in the files, Welch's test on them says whether the change
is beyond noise (1 % level); where only a median and a 95th percentile are, the error of the
median that follows from them does. A figure that has neither is measured against the threshold
alone, and says so. The noise of repeats is that of one run: what is slower all day is a change.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import ttest_ind

from benchmarks.direction import Direction, direction
from benchmarks.readings import Reading, readings
from benchmarks.results import STAMP, read_result
from shared.command import run_command
from shared.errors import BadInputError

LEVEL = 0.01
LEAST_REPEATS = 3
# Of a normal distribution: p95 lies 1.645 sigma above the median, and the median of n values
# errs by 1.253 sigma / sqrt(n).
_P95_SIGMA = 1.645
_MEDIAN_ERROR = 1.253
_LIKELY = 2.58  # standard errors; as rare as LEVEL


class Noise(enum.Enum):
    """Whether a change can be chance."""

    BEYOND = "beyond noise"
    WITHIN = "within noise"
    UNKNOWN = "noise unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in both results.

    Attributes:
        name: where the figure stands.
        old: its value before.
        new: its value now.
        percent: by how much it rose; infinite from 0.
        noise: whether that can be chance.
        verdict: "better", "worse", "changed" where neither way is good, or "".
    """

    name: str
    old: float
    new: float
    percent: float
    noise: Noise
    verdict: str


def changes(old: dict[str, Any], new: dict[str, Any], threshold: float) -> list[Change]:
    """Return what became of every figure that both results have, in the new one's order.

    Args:
        old: a result.
        new: a later one.
        threshold: percent that a figure may move without a verdict.

    Raises:
        BadInputError: they are not of the same benchmark.
    """
    kinds = [result[STAMP].get("benchmark") for result in (old, new) if STAMP in result]
    if len(set(kinds)) > 1:
        raise BadInputError(
            f"these are results of {kinds[0]} and of {kinds[1]}: give two of the same benchmark"
        )
    before, after = readings(old), readings(new)
    both = [name for name in after if name in before]
    if not both:
        raise BadInputError("the two files have no figure in common: give two of one benchmark")
    return [_change(before[name], after[name], threshold) for name in both]


def _change(old: Reading, new: Reading, threshold: float) -> Change:
    moved = new.value - old.value
    percent = 100 * moved / abs(old.value) if old.value else math.copysign(math.inf, moved)
    noise = noise_of(old, new)
    verdict = ""
    if moved and abs(percent) >= threshold and noise is not Noise.WITHIN:
        way = direction(new.parts)
        better = "better" if moved * way.value > 0 else "worse"
        verdict = "changed" if way is Direction.NEITHER else better
    return Change(new.name, old.value, new.value, percent if moved else 0.0, noise, verdict)


def noise_of(old: Reading, new: Reading) -> Noise:
    """Return whether a figure's change can be chance."""
    if min(len(old.each), len(new.each)) >= LEAST_REPEATS:
        if len({*old.each}) == len({*new.each}) == 1:  # of no variance Welch's test says nothing
            return Noise.WITHIN if old.each[0] == new.each[0] else Noise.BEYOND
        found = ttest_ind(old.each, new.each, equal_var=False)
        return Noise.BEYOND if found.pvalue < LEVEL else Noise.WITHIN
    if old.spread is None or new.spread is None:
        return Noise.UNKNOWN
    errors = [
        _MEDIAN_ERROR * max(reading.spread or 0.0, 0.0) / _P95_SIGMA / math.sqrt(reading.count or 1)
        for reading in (old, new)
    ]
    beyond = abs(new.value - old.value) > _LIKELY * math.hypot(*errors)
    return Noise.BEYOND if beyond else Noise.WITHIN


def unfair(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return sentences on why the comparison is not one of the code alone; none where it is."""
    said = []
    if STAMP not in old or STAMP not in new:
        said.append("A file does not say what it was measured on, so the machines may differ.")
    runs = old.get(STAMP, {}), new.get(STAMP, {})
    machines = [_host(run.get("machine") or {}) for run in runs]
    if all(machines) and machines[0] != machines[1]:
        said.append(
            f"The machines differ ({machines[0]}; {machines[1]}): times cannot be compared."
        )
    engine = "engine_name" if "engine_name" in old and "engine_name" in new else "engine"
    for key, what in ((engine, "engines"), ("preset", "presets")):
        values = old.get(key), new.get(key)
        if None not in values and values[0] != values[1]:
            said.append(f"The {what} differ ({values[0]}; {values[1]}).")
    versions = [run.get("versions") or {} for run in runs]
    differing = sorted(
        name for name in versions[0].keys() & versions[1].keys()
        if versions[0][name] != versions[1][name]
    )  # fmt: skip
    if differing:
        listed = ", ".join(
            f"{name} {versions[0][name]} → {versions[1][name]}" for name in differing
        )
        said.append(f"The versions differ: {listed}.")
    if any(run.get("dirty") for run in runs):
        said.append("A tree held changes that its commit does not have.")
    return said


def _host(machine: dict[str, Any]) -> str:
    parts = [machine.get("cpu"), f"{machine.get('cores')} cores", machine.get("gpu")]
    return ", ".join(str(part) for part in parts if part) if machine else ""


def table(found: list[Change], everything: bool) -> Table:
    """Return the changes as a table.

    Args:
        found: all of them.
        everything: show those without a verdict too.
    """
    rows = Table("figure", box=None, padding=(0, 2, 0, 0))
    for name in ("old", "new", "change"):
        rows.add_column(name, justify="right", no_wrap=True)
    rows.add_column("verdict")
    colours = {"better": "green", "worse": "red", "changed": "yellow"}
    for change in found:
        if not (everything or change.verdict):
            continue
        verdict = f"{change.verdict}, " if change.verdict else ""
        rows.add_row(
            change.name,
            _number(change.old),
            _number(change.new),
            f"{change.percent:+.1f} %" if math.isfinite(change.percent) else "from 0",
            f"{verdict}{change.noise.value}",
            style=colours.get(change.verdict, "dim"),
        )
    return rows


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def summary(found: list[Change], unmatched: int, threshold: float) -> str:
    """Return in a sentence what came out."""
    verdicts = Counter(change.verdict for change in found)
    noisy = sum(
        not change.verdict and change.noise is Noise.WITHIN and abs(change.percent) >= threshold
        for change in found
    )
    return (
        f"Of {len(found)} figures {verdicts['better']} are better, {verdicts['worse']} worse and "
        f"{verdicts['changed']} otherwise changed by {threshold:g} % or more; {noisy} moved as far "
        f"within noise; {unmatched} are in one file only."
    )


def main(
    old: Annotated[Path, typer.Argument(help="A result, as a benchmark wrote or kept it.")],
    new: Annotated[Path, typer.Argument(help="A later one of the same benchmark.")],
    threshold: Annotated[float, typer.Option(min=0, help="Percent that is no change.")] = 3.0,
    everything: Annotated[bool, typer.Option("--all", help="Show what did not change.")] = False,
) -> None:
    """Print what changed between two results of the same benchmark."""
    results = read_result(old), read_result(new)
    found = changes(*results, threshold)
    console = Console()
    for sentence in unfair(*results):
        console.print(sentence, style="yellow", markup=False, highlight=False)
    shown = table(found, everything)
    if shown.row_count:
        console.print(shown)
    names = [readings(result).keys() for result in results]
    unmatched = len(names[0] ^ names[1])
    console.print(summary(found, unmatched, threshold), markup=False, highlight=False)


if __name__ == "__main__":
    run_command(main)
