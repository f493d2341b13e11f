"""What the kernel says of a process, against what the process did."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.processes import Usage, cpu_per_s, share_mb, usage

# A process of its own: the tests' has threads and freed memory of everything that ran before.
WORK = """
import resource, sys
print("ready", flush=True)
sys.stdin.readline()
kept = bytearray(64 << 20)
kept[::4096] = b"x" * (len(kept) >> 12)
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
until = spent() + 0.5
while spent() < until:
    sum(range(1000))
print("done", flush=True)
sys.stdin.readline()
"""


def test_work_and_memory_are_counted() -> None:
    command = [sys.executable, "-c", WORK]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        before = usage(child.pid)
        child.stdin.write("begin\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"
        after = usage(child.pid)
        child.stdin.write("end\n")
    assert after.cpu_s - before.cpu_s == pytest.approx(0.5, abs=0.1)
    assert after.rss_mb - before.rss_mb == pytest.approx(64, abs=8)
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
