"""The numbers in a benchmark's result, each under a name that another run of it gives too."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.results import MOST_NUMBERS, STAMP

# What tells the entries of a list apart; those that an entry has make up its name.
KEYS = (
    "clip", "codec", "setting", "latency", "profile", "preset", "engine", "stage", "callers",
    "name", "still_hz", "per_speed", "loss", "bits",
)  # fmt: skip
EACH = "_each"
# Beside a median they say how far single values lie from it, and how many there were.
_UPPER = {"median": "p95", "p50": "p95"}
_COUNTS = ("count", "samples", "frames", "frames_shown")


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure of a result.

    Attributes:
        name: where it stands, its parts joined by " › ".
        parts: those parts; the last is the figure's own name.
        value: the figure.
        each: its value in every repeat; empty where there were none.
        spread: how far above the figure, a median, the 95th percentile of single values lies.
        count: how many single values there were.
    """

    name: str
    parts: tuple[str, ...]
    value: float
    each: tuple[float, ...] = ()
    spread: float | None = None
    count: int | None = None


def readings(result: dict[str, Any]) -> dict[str, Reading]:
    """Return a result's figures by their names.

    The stamp and long lists are left out, and what stands at the top of the result as well as in
    the first of its `runs`.
    """
    runs = result.get("runs")
    first = runs[0] if isinstance(runs, list) and runs and isinstance(runs[0], dict) else {}
    figures = {
        name: value
        for name, value in result.items()
        if name != STAMP and not (name in first and first[name] == value)
    }
    return {reading.name: reading for reading in _of_map(figures, (), None)}


def _of_map(entries: dict[str, Any], path: tuple[str, ...], count: int | None) -> Iterator[Reading]:
    count = next((entries[key] for key in _COUNTS if _is_count(entries.get(key))), count)
    for name, value in entries.items():
        here = (*path, str(name))
        if isinstance(value, dict):
            yield from _of_map(value, here, count)
        elif isinstance(value, list):
            yield from _of_list(value, here, count)
        elif _is_figure(value):
            yield Reading(
                " › ".join(here),
                here,
                float(value),
                _repeats(entries.get(name + EACH)),
                _spread(name, value, entries),
                count,
            )


def _of_list(entries: list[Any], path: tuple[str, ...], count: int | None) -> Iterator[Reading]:
    maps = [entry for entry in entries if isinstance(entry, dict)]
    names = [_name_of(entry) for entry in maps]
    if len(maps) > MOST_NUMBERS and not any(names):
        return  # rows of frames
    met: dict[str, int] = {}
    for entry, name in zip(maps, names, strict=True):
        met[name] = met.get(name, 0) + 1
        own = name if name and met[name] == 1 else f"{name} {met[name]}".strip()
        figures = {key: value for key, value in entry.items() if key not in KEYS}
        yield from _of_map(figures, (*path, own), count)


def _name_of(entry: dict[str, Any]) -> str:
    """Return what an entry of a list is called, empty when nothing tells it apart."""
    values = [(key, entry[key]) for key in KEYS if entry.get(key) is not None]
    return ", ".join(
        value if isinstance(value, str) else f"{key} {json.dumps(value, sort_keys=True)}"
        for key, value in values
    )


def _spread(name: str, value: float, entries: dict[str, Any]) -> float | None:
    for middle, upper in _UPPER.items():
        above: Any = entries.get(name.replace(middle, upper)) if middle in name else None
        if _is_figure(above):
            return float(above) - float(value)
    return None


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _repeats(values: Any) -> tuple[float, ...]:
    if isinstance(values, list) and all(map(_is_figure, values)):
        return tuple(map(float, values))
    return ()


def _is_count(value: Any) -> bool:
    return _is_figure(value) and value >= 1
