"""What the kernel says of a process, against what the process did."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from benchmarks.processes import Usage, cpu_per_s, share_mb, usage


def test_work_and_memory_are_counted() -> None:
    before = usage(os.getpid())
    kept = bytearray(b"x" * (64 << 20))
    count = 0
    while True:
        count = (count + 1) % 1_000_003
        spent = resource.getrusage(resource.RUSAGE_SELF)
        if spent.ru_utime + spent.ru_stime > before.cpu_s + 0.5:
            break
    after = usage(os.getpid())
    assert after.cpu_s - before.cpu_s == pytest.approx(0.5, abs=0.1)
    assert after.rss_mb - before.rss_mb == pytest.approx(len(kept) / 2**20, abs=8)
    assert after.at_ms > before.at_ms


def test_a_share_is_no_more_than_the_whole() -> None:
    assert 0 < share_mb(os.getpid()) <= usage(os.getpid()).rss_mb * 1.05


def test_a_process_that_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(ProcessLookupError):
        usage(child.pid)


def test_cpu_a_second_is_between_the_ends() -> None:
    samples = [Usage(1000, 5.0, 1), Usage(2000, 5.1, 1), Usage(5000, 7.0, 1)]
    assert cpu_per_s(samples) == pytest.approx(0.5)
