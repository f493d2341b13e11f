"""The picture of a speed measurement: stages on the left, whole processes on the right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SHARE = 0.8  # of the room between two stages that bars fill
_ROW_IN = 0.22


def draw(path: Path, result: dict[str, Any]) -> None:
    """Write the picture.

    Args:
        path: the PNG to write.
        result: of `benchmarks.speed`.
    """
    from matplotlib.figure import Figure

    runs = result["runs"]
    stages = list(result["stages"])
    height = max(3.2, _ROW_IN * len(stages) * (len(runs) + 0.6) + 1.2)
    width = 9.0 + 1.6 * len(runs)
    figure = Figure(figsize=(width, height), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[6, 1.6 + 1.6 * len(runs)])
    _bars(left, runs, stages)
    _processes(right, [run for run in runs if "cpu_s_per_s" in run])
    figure.suptitle(f"{result['machine']}: a frame's stages, and a whole call", fontsize=10)
    figure.savefig(path, dpi=120)


def _bars(axes: Any, runs: list[dict[str, Any]], stages: list[str]) -> None:
    """Medians as bars, lines up to p95; milliseconds are spread over decades, so the axis is log.

    Bars on such an axis begin where it begins, which says nothing: their ends are labelled.
    """
    width = SHARE / len(runs)
    for place, run in enumerate(runs):
        medians = [run["stages"][stage]["median_ms"] for stage in stages]
        uppers = [run["stages"][stage]["p95_ms"] for stage in stages]
        at = [index - SHARE / 2 + (place + 0.5) * width for index in range(len(stages))]
        rest = [upper - median for upper, median in zip(uppers, medians, strict=True)]
        axes.barh(
            at, medians, width * 0.92, xerr=[[0] * len(stages), rest],
            error_kw={"lw": 1, "capsize": 2}, label=name_of(run),
        )  # fmt: skip
        for y, median, upper in zip(at, medians, uppers, strict=True):
            axes.annotate(
                f"{median:.3g}", (upper, y), (4, 0), textcoords="offset points",
                va="center", fontsize=7,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * 1.8)
    axes.set_yticks(range(len(stages)), stages)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a frame: median, line to p95")
    axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)


def _processes(axes: Any, runs: list[dict[str, Any]]) -> None:
    if not runs:
        axes.set_axis_off()
        return
    sides = ("sender", "receiver")
    for side in sides:
        below = [run["cpu_s_per_s"]["sender"] if side == "receiver" else 0.0 for run in runs]
        values = [run["cpu_s_per_s"][side] for run in runs]
        bars = axes.bar(range(len(runs)), values, 0.5, bottom=below, label=side)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], label_type="center", fontsize=8)
    names = [
        f"{name_of(run)}\n{run['call_fps']:.1f} fps\n"
        f"memory {run['memory_mb']['sender']:.0f} + {run['memory_mb']['receiver']:.0f} MiB\n"
        f"receiver up in {run['startup_s']['receiver']:.1f} s,\n"
        f"first picture {run['startup_s']['first_picture']:.1f} s later"
        for run in runs
    ]
    axes.set_xticks(range(len(runs)), names, fontsize=8)
    axes.set_xlim(-0.7, len(runs) - 0.3)
    axes.set_ylabel("CPU seconds a second of the call")
    axes.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def name_of(run: dict[str, Any]) -> str:
    """Return what a combination is called: the preset, the engine as asked for and as it is."""
    asked, found = run["engine"], run["engine_name"]
    engine = found if found.startswith(asked) else f"{asked}: {found}"
    return f"{run['preset']}, {engine}"
