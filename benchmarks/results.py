"""A benchmark's result as a file: what was measured, and the stamp of the run that measured it.

    python -m benchmarks.results build/speed.json

keeps a result under `benchmarks/results/NAME-MACHINE-DATE.json`, without what was measured frame
by frame. The stamp is the key `run`: machine, versions, commit, date, command line. A list that
holds one value per repeat of a figure is named after it: `median_ms_each` for `median_ms`; from
those `benchmarks.compare` tells a change from noise.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from shared.command import run_command
from shared.errors import BadInputError

STAMP = "run"
KEPT = Path(__file__).with_suffix("")
PACKAGES = (
    "headcall", "openvino", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-cu13",
    "tensorrt-rtx", "tensorrt-rtx-cu13", "mediapipe", "aiortc", "av", "numpy", "numba",
    "opencv-contrib-python",
)  # fmt: skip
# Lists of numbers longer than this are values of frames, shorter ones those of repeats.
MOST_NUMBERS = 32
_ASK_S = 20.0


def stamp(benchmark: str) -> dict[str, Any]:
    """Return where, when, how and with what a benchmark runs.

    Args:
        benchmark: its name.
    """
    return {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(sys.argv),
        **_source(),
        "machine": hardware(),
        "versions": versions(),
    }


def hardware() -> dict[str, Any]:
    """Return the machine's parts: `cpu`, `cores`, `memory_gb`, `gpu` (None without), `system`."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    gpus = _ask("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 2**30, 1),
        "gpu": ", ".join(gpus.splitlines()) if gpus else None,
        "system": f"{platform.system()} {platform.release()}",
    }


def machine() -> str:
    """Return what the figures are measured on, for people to read."""
    parts = hardware()
    return f"{parts['cpu']}, {parts['cores']} cores" + (f", {parts['gpu']}" if parts["gpu"] else "")


def versions() -> dict[str, str]:
    """Return the version of Python, and of each package that decides figures and is there."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def command_line(arguments: Sequence[str]) -> str:
    """Return a command as somebody else could type it: paths of this machine are shortened.

    Args:
        arguments: as in ``sys.argv``.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"python -m {spec.name}" if spec else Path(arguments[0]).name
    return shlex.join([*program.split(), *(_portable(argument) for argument in arguments[1:])])


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result with its stamp.

    Args:
        path: `OUT/NAME.json`, NAME being the benchmark's.
        result: the figures, as JSON holds them.
    """
    stamped = {**result, STAMP: stamp(path.stem)}
    path.write_text(json.dumps(stamped, indent=1) + "\n", encoding="utf-8")


def read_result(path: Path) -> dict[str, Any]:
    """Return a result file's contents.

    Raises:
        BadInputError: it is not there, or holds no result.
    """
    try:
        result = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError(
            f"{path} is not JSON ({error}): give a file that a benchmark wrote"
        ) from error
    if not isinstance(result, dict) or not isinstance(result.get(STAMP, {}), dict):
        raise BadInputError(f"{path} holds no benchmark's result: give a file that one wrote")
    return result


def keep(path: Path, folder: Path = KEPT) -> Path:
    """Copy a result to where results are kept, without the values of single frames.

    Args:
        path: what a benchmark wrote.
        folder: where to; made when missing.

    Returns:
        The copy's path.

    Raises:
        BadInputError: the file holds no stamped result.
    """
    result = read_result(path)
    run = result.get(STAMP)
    if run is None:
        raise BadInputError(f"{path} does not say what it was measured on: run its benchmark again")
    left_out: set[str] = set()
    kept = _thinned(result, left_out)
    kept[STAMP] = {**run, "left_out": sorted(left_out)}
    try:
        # Down to the minute: two of a day are what one compares.
        date = datetime.fromisoformat(run["date"]).strftime("%Y-%m-%dT%H%M")
        parts = run["machine"]
        host = f"{parts['cpu']} {parts['cores']} cores {parts['gpu'] or ''}"
        target = folder / f"{run['benchmark']}-{_slug(host)}-{date}.json"
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"{path} has a stamp that is not whole: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return target


def _thinned(value: Any, left_out: set[str]) -> Any:
    if isinstance(value, dict):
        long = {name for name, entry in value.items() if _is_of_frames(entry)}
        left_out |= long
        return {
            name: _thinned(entry, left_out) for name, entry in value.items() if name not in long
        }
    if isinstance(value, list):
        return [_thinned(entry, left_out) for entry in value]
    return value


def _is_of_frames(value: Any) -> bool:
    """Return whether a value is a long list whose entries are called nothing."""
    return isinstance(value, list) and len(value) > MOST_NUMBERS and not any(map(_is_named, value))


def _is_named(entry: Any) -> bool:
    if isinstance(entry, dict):
        return any(_is_named(inner) for inner in entry.values())
    return isinstance(entry, str)


def _source() -> dict[str, Any]:
    commit = _ask("git", "rev-parse", "HEAD")
    # Results kept and not committed yet change nothing that is measured.
    changed = _ask("git", "status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/results")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _ask(*command: str) -> str | None:
    """Return what a program says; None where it is missing or fails."""
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _portable(argument: str) -> str:
    option, equals, value = argument.rpartition("=")
    path = Path(value)
    if not path.is_absolute():
        return argument
    inside = path.is_relative_to(Path.cwd())
    short = str(path.relative_to(Path.cwd())) if inside else f".../{path.name}"
    return f"{option}{equals}{short}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def main(
    files: Annotated[list[Path], typer.Argument(help="What benchmarks wrote, OUT/NAME.json.")],
    folder: Annotated[Path, typer.Option(help="Where results are kept.")] = KEPT,
) -> None:
    """Keep results: small copies named after benchmark, machine and date."""
    for file in files:
        kept = keep(file, folder)
        Console().print(f"{file} kept as {kept.name}", markup=False, highlight=False)


if __name__ == "__main__":
    run_command(main)
