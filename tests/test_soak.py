"""What the soak takes from processes, and its verdict."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from benchmarks.growth import Growth
from benchmarks.soak import Soak, draw, grows, process_figures, task_count
from shared.errors import BadInputError
from tests.receiving import serving


def test_a_processes_figures() -> None:
    before = process_figures(os.getpid())
    # Not from the allocator, which may have as much left over from earlier tests.
    with mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as kept:
        kept[::4096] = b"x" * (len(kept) // 4096)  # a page that nobody wrote to takes no memory
        with Path(__file__).open():
            after = process_figures(os.getpid())
    assert after["files"] == before["files"] + 1
    assert after["memory_mb"] - before["memory_mb"] == pytest.approx(64, abs=8)
    assert after["threads"] >= 1


async def test_the_receiver_tells_its_tasks() -> None:
    import asyncio

    async with serving() as (_, url):
        told = await asyncio.to_thread(task_count, url)
    assert told["tasks"] >= 2
    assert told["shown"] == 0


def test_the_limits() -> None:
    def slope(per_hour: float, step: float = 0.0) -> Growth:
        return Growth(per_hour, per_hour, per_hour, step)

    assert grows("receiver memory_mb", slope(1.1))
    assert not grows("receiver memory_mb", slope(0.9, step=5))
    assert grows("receiver files", slope(0, step=1))
    assert not grows("sender threads", slope(100, step=0))


def test_a_leak_is_seen_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr("benchmarks.soak.time.monotonic", lambda: now_s)
    soak = Soak()
    for second in range(60):
        now_s = float(second)
        soak.sample("sender", {"memory_mb": 50.0, "files": 10.0})
        soak.sample("receiver", {"memory_mb": 50.0 + second / 10, "files": 10.0})
    verdict = soak.verdict()
    assert [name for name, how in verdict.items() if grows(name, how)] == ["receiver memory_mb"]
    draw(tmp_path / "soak.png", soak, 60)
    assert (tmp_path / "soak.png").stat().st_size > 1000


def test_a_run_that_is_too_short_is_bad_input() -> None:
    soak = Soak()
    soak.sample("sender", {"files": 1.0})
    with pytest.raises(BadInputError, match="too short"):
        soak.verdict()
