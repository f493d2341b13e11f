"""What a running process has taken of the machine so far, as Linux counts it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from shared.clock import monotonic_ms


@dataclass(frozen=True, slots=True)
class Usage:
    """One process at one moment.

    Attributes:
        at_ms: when, on this machine's monotonic clock.
        cpu_s: CPU seconds of all its threads since it began; the kernel counts hundredths.
        rss_mb: memory it has in RAM, MiB, what it shares with other processes included.
    """

    at_ms: float
    cpu_s: float
    rss_mb: float


def usage(pid: int) -> Usage:
    """Return what a process has taken.

    Raises:
        ProcessLookupError: it is gone.
    """
    folder = Path("/proc") / str(pid)
    try:
        # The name before it may hold spaces and brackets.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        pages = int((folder / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError) as error:
        raise ProcessLookupError(f"there is no process {pid}") from error
    ticks = int(fields[11]) + int(fields[12])  # user and system
    return Usage(
        monotonic_ms(),
        ticks / os.sysconf("SC_CLK_TCK"),
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
    )


def share_mb(pid: int) -> float:
    """Return a process's memory, MiB, each shared page divided by how many processes share it.

    Over all of them these add up to what they take together.
    """
    rollup = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
    sizes = (line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
    return sum(map(int, sizes)) / 1024


def cpu_per_s(samples: list[Usage]) -> float:
    """Return the CPU seconds that a process takes a second, from its first sample to its last.

    Args:
        samples: two or more, in order.
    """
    first, last = samples[0], samples[-1]
    return (last.cpu_s - first.cpu_s) * 1000 / (last.at_ms - first.at_ms)
