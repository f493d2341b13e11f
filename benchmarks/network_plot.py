"""The picture of the network benchmark: what a watcher saw over time, and what the link did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.network_call import NetworkCall, summarise
from benchmarks.smoothness import freezes, stale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FREEZE, _CUT, _STALE = "#f4b6a6", "#555555", "#d62728"


def draw(path: Path, calls: Sequence[NetworkCall]) -> None:
    """Write one call in three panels, or several with their latencies below one another.

    Args:
        path: ``.png``.
        calls: at least one.
    """
    from matplotlib.figure import Figure

    rows = 3 if len(calls) == 1 else len(calls)
    figure = Figure(figsize=(10, 1 + 2.2 * rows), layout="constrained")
    grid = figure.subplots(rows, 1, squeeze=False, sharex=len(calls) == 1)[:, 0]
    for axes, call in zip(grid, calls, strict=False):
        _latency(axes, call)
    if len(calls) == 1:
        _pictures(grid[1], calls[0])
        _link(grid[2], calls[0])
    grid[-1].set_xlabel("seconds after the first picture")
    figure.savefig(path, dpi=110)


def _latency(axes: Axes, call: NetworkCall) -> None:
    shown, latency = _seconds(call, call.shown_ms), np.asarray(call.latency_ms)
    late = stale(call.shown_ms, call.latency_ms)
    axes.plot(shown, latency, ".", markersize=3, label="a picture")
    if late:
        axes.plot(shown[late], latency[late], ".", color=_STALE, label="stale")
    _mark(axes, call, named=True)
    axes.set_xlim(0, _length_s(call))
    axes.set_ylabel("capture to\npicture, ms")
    axes.set_ylim(0, 1.25 * max(latency, default=100.0))  # room for the legend
    axes.set_title(_title(call), fontsize=9)
    axes.legend(loc="upper right", fontsize=7, ncols=4)


def _pictures(axes: Axes, call: NetworkCall) -> None:
    shown = _seconds(call, call.shown_ms)
    counts, edges = np.histogram(shown, np.arange(0, _length_s(call) + 1))
    axes.bar(edges[:-1], counts, width=0.95, align="edge")
    _mark(axes, call)
    axes.set_ylabel("pictures\na second")


def _link(axes: Axes, call: NetworkCall) -> None:
    edges = np.arange(0, _length_s(call) + 1)
    for up, name in ((True, "sender to receiver"), (False, "back")):
        passages = [passage for passage in call.traffic.passages if passage.up == up]
        entered = _seconds(call, [passage.entered_ms for passage in passages])
        sizes = [passage.size for passage in passages]
        bits, _ = np.histogram(entered, edges, weights=np.asarray(sizes, float) * 8 / 1000)
        axes.stairs(bits, edges, label=name)
    dropped = [passage.entered_ms for passage in call.traffic.passages if passage.drop]
    if dropped:
        moments = _seconds(call, dropped)
        axes.plot(moments, np.zeros(len(moments)), "|", color=_STALE, label="a packet lost")
    _mark(axes, call)
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
    axes.set_ylabel("on the link,\nkbps")
    axes.legend(loc="upper right", fontsize=7, ncols=3)


def _mark(axes: Axes, call: NetworkCall, *, named: bool = False) -> None:
    freeze, cut = ("a freeze", "the link is cut") if named else (None, None)
    for gap in freezes(call.shown_ms, call.end_ms):
        axes.axvspan(*_seconds(call, gap), color=_FREEZE, label=freeze, zorder=0)
        freeze = None  # one is enough for the legend
    begin_ms = call.traffic.begin_ms
    for spell in call.profile.up.cuts if begin_ms is not None else ():
        span = _seconds(call, [(begin_ms or 0.0) + 1000 * moment for moment in spell])
        axes.axvspan(*span, fill=False, hatch="//", color=_CUT, label=cut)


def _seconds(call: NetworkCall, moments_ms: Sequence[float]) -> np.ndarray:
    return (np.asarray(moments_ms, float) - _first_ms(call)) / 1000


def _first_ms(call: NetworkCall) -> float:
    """Return the first picture's moment; without one, the first packet's."""
    if call.shown_ms:
        return call.shown_ms[0]
    return call.traffic.passages[0].entered_ms if call.traffic.passages else 0.0


def _length_s(call: NetworkCall) -> float:
    return max(call.seconds, (call.end_ms - _first_ms(call)) / 1000)


def _title(call: NetworkCall) -> str:
    figures = summarise(call)
    setup = "no picture" if figures["setup_s"] is None else f"set up in {figures['setup_s']} s"
    return (
        f"{call.profile.name} ({call.profile.about}): {setup}, frozen "
        f"{100 * figures['freeze_ratio']:.1f} %, {figures['stale_shown']} stale, "
        f"{figures['wire_kbps']:.1f} kbps" + (f"\n{call.failure}" if call.failure else "")
    )
