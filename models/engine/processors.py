"""What the processor offers: how many pictures at a time, by how many threads, in which numbers."""

from __future__ import annotations

import os
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
MOST_THREADS = 4  # more of them wait longer for one another than they compute
_BYTE_PRODUCTS = {"avx512_vnni", "avx_vnni"}


def multiplies_bytes(path: Path = _CPU_INFO) -> bool:
    """Return whether the processor has VNNI; without it 8-bit networks are no quicker."""
    try:
        text = path.read_text("ascii", "replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return bool(_BYTE_PRODUCTS & set(flags.split()))


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(count: int) -> tuple[int, int]:
    """Return how many pictures are made at the same time, and by how many threads each.

    A picture cannot keep two processors busy: much of it waits for memory, and after each of its
    hundreds of steps the threads wait for one another. Two pictures can.

    Args:
        count: processors.
    """
    return (2, min(count - 1, MOST_THREADS)) if count > 1 else (1, 1)
