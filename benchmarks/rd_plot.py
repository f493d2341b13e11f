"""Rate against quality, drawn: a panel for each metric, and what the reference picture adds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image

from benchmarks.curves import spread
from benchmarks.scores import METRICS, Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS_COLOUR = "#000000"
# Okabe and Ito's colours, which people of every colour vision tell apart; and a shape each.
STYLES = {
    "x264-veryfast": ("#e69f00", "o"),
    "x264-veryslow": ("#d55e00", "s"),
    "x265": ("#0072b2", "^"),
    "vp8": ("#cc79a7", "v"),
    "vp9": ("#009e73", "D"),
    "svt-av1": ("#56b4e9", "P"),
    "libaom-av1": ("#8c6d31", "X"),
}
OTHER_STYLE = ("#777777", ".")
BASELINES = {"copy": ("showing the reference", ":"), "mesh_warp": ("mesh warp, no network", "--")}
TICKS = (3, 5, 7, 10, 15, 20, 30, 45, 60, 100)
SPREADS_S = (60, 10)
COLOURS = 128


def draw(path: Path, results: dict[str, Any]) -> None:
    """Write a panel for each metric, and two with the reference in the rate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 7.6), layout="constrained")
    grid = figure.subplots(2, 4)
    for axes, metric in zip(grid[:, :3].flat, METRICS, strict=True):
        panel(axes, results, metric, None)
    for axes, seconds in zip(grid[:, 3], SPREADS_S, strict=True):
        panel(axes, results, METRICS[0], seconds)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=(len(labels) + 1) // 2, frameon=False
    )
    _save(figure, path)


def draw_spread(path: Path, results: dict[str, Any], seconds: int) -> None:
    """Write a panel for each metric with the reference spread over a call of `seconds`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.2), layout="constrained")
    grid = figure.subplots(2, 3)
    for axes, metric in zip(grid.flat, METRICS, strict=True):
        panel(axes, results, metric, seconds)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=(len(labels) + 1) // 2, frameon=False
    )
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG of few colours, a third of its size and no worse to look at."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100)
    drawn.seek(0)
    with PIL.Image.open(drawn) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=PIL.Image.Dither.NONE).save(
            path, "PNG", optimize=True
        )


def panel(axes: Axes, results: dict[str, Any], metric: Metric, seconds: int | None) -> None:
    """Draw one metric of every codec, means over clips.

    Args:
        axes: where.
        results: as the JSON holds them.
        metric: which.
        seconds: of the call over which the reference is spread; None leaves it out.
    """
    for name, summary in results["summary"].items():
        curve = [point for point in summary["curve"] if point[metric.key] is not None]
        if not curve:
            continue
        rates = [spread(point, seconds) for point in curve]
        values = [point[metric.key] for point in curve]
        if name.startswith("headcall"):
            _ours(axes, name, curve, rates, values)
        else:
            colour, shape = STYLES.get(name, OTHER_STYLE)
            axes.plot(rates, values, color=colour, marker=shape, markersize=4, lw=1.4, label=name)
            axes.plot(rates[0], values[0], shape, color=colour, markersize=10, mew=2, mfc="white")
    _baselines(axes, results["baselines"], metric)
    _dress(axes, metric, seconds)


def _ours(
    axes: Axes, name: str, curve: list[dict[str, Any]], rates: list[float], values: list[float]
) -> None:
    axes.plot(rates, values, "*", color=OURS_COLOUR, markersize=13, label=f"{name} (ours)")
    for point, rate, value in zip(curve, rates, values, strict=True):
        axes.annotate(
            point["at"], (rate, value), (0, 9), textcoords="offset points", ha="center", fontsize=8
        )


def _baselines(axes: Axes, baselines: dict[str, dict[str, float | None]], metric: Metric) -> None:
    for key, (label, line) in BASELINES.items():
        values = [own[f"{key}_{metric.key}"] for own in baselines.values()]
        known = [value for value in values if value is not None]
        if known:
            axes.axhline(sum(known) / len(known), color="#777777", ls=line, lw=1, label=label)


def _dress(axes: Axes, metric: Metric, seconds: int | None) -> None:
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.12)
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high])
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(color="#e5e5e5", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    title = metric.title if metric.higher else f"{metric.short}, lower is better"
    axes.set_title(title, fontsize=10, loc="left")
    extra = "" if seconds is None else f" and the reference over {seconds} s"
    axes.set_xlabel(f"kbps on the wire{extra}", fontsize=9)
