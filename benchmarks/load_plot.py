"""The picture of a load measurement: lateness, rate and cost over the number of callers."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

LIMIT_MS = 100.0
RATES = (25, 20)


def draw(path: Path, result: dict[str, Any]) -> None:
    """Write the picture.

    Args:
        path: the PNG to write.
        result: of `benchmarks.load`.
    """
    from matplotlib.figure import Figure

    steps = result["steps"]
    figure = Figure(figsize=(11, 4), layout="constrained")
    late, rate, cost = figure.subplots(1, 3)
    _lateness(late, steps)
    _rate(rate, steps)
    _cost(cost, steps)
    for axes in (late, rate, cost):
        axes.set_xticks([step["callers"] for step in steps])
        axes.set_xlabel("simultaneous calls")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.margins(x=0.1)
    head = f"{result['preset']}, {result['engine']}, {result['machine']}"
    figure.suptitle(f"{head}\n{fill(result['sentence'], 130)}", fontsize=9)
    figure.savefig(path, dpi=120)


def _lateness(axes: Any, steps: list[dict[str, Any]]) -> None:
    shown = [step for step in steps if step["late_p95_ms"] is not None]
    calls = [step["callers"] for step in shown]
    for share, style in ((95, "o-"), (50, "s--")):
        values = [step[f"late_p{share}_ms"] for step in shown]
        axes.plot(calls, values, style, label=f"p{share}")
    _dots(axes, shown, "late_p95_ms_of_callers")
    axes.axhline(LIMIT_MS, color="0.5", lw=1, ls=":")
    axes.set_ylabel("lateness, ms (dots: p95 of each call)")
    axes.legend(fontsize=8, frameon=False)


def _rate(axes: Any, steps: list[dict[str, Any]]) -> None:
    calls = [step["callers"] for step in steps]
    axes.plot(calls, [step["fps"] for step in steps], "o-")
    _dots(axes, steps, "fps_of_callers")
    for rate in RATES:
        axes.axhline(rate, color="0.5", lw=1, ls=":")
    axes.set_ylabel("pictures a second (dots: each call)")


def _dots(axes: Any, steps: list[dict[str, Any]], key: str) -> None:
    pairs = [(step["callers"], v) for step in steps for v in step[key] if v is not None]
    if pairs:
        axes.plot(*np.transpose(pairs), ".", color="0.4", ms=4, zorder=3)


def _cost(axes: Any, steps: list[dict[str, Any]]) -> None:
    calls = [step["callers"] for step in steps]
    axes.plot(calls, [step["cpu_s_per_s"] for step in steps], "o-", label="CPU s a second and call")
    total = [step["cpu_s_per_s"] * step["callers"] for step in steps]
    axes.plot(calls, total, "s--", label="of all receivers")
    for step, value in zip(steps, total, strict=True):
        axes.annotate(
            f"{step['memory_mb']:.0f} MiB\na call", (step["callers"], value), (0, 6),
            textcoords="offset points", ha="center", fontsize=7,
        )  # fmt: skip
    axes.set_ylabel("CPU seconds a second")
    axes.margins(y=0.2)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
