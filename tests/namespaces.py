"""Network namespaces that meet in a middle one, which forwards nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)


@dataclass(frozen=True)
class Outer:
    """A namespace with one link, to the middle.

    Attributes:
        name: for ``ip netns exec``.
        address: its own.
        gateway: the middle's address on its link; it has no route to anywhere else.
    """

    name: str
    address: str
    gateway: str

    def inside(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]


@contextlib.contextmanager
def star(count: int) -> Iterator[tuple[Outer, list[Outer]]]:
    """Make a middle namespace and some outer ones; skips where that is not allowed."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    prefix = f"hc{os.getpid()}"
    middle = Outer(f"{prefix}m", "127.0.0.1", "")
    outers = [Outer(f"{prefix}o{i}", f"10.77.{i}.2", f"10.77.{i}.1") for i in range(count)]
    try:
        try:
            for place in (middle, *outers):
                run("ip", "netns", "add", place.name)
                run(*place.inside("ip", "link", "set", "lo", "up"))
            for outer in outers:
                _tie(middle, outer)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"network namespaces cannot be made here: {error}")
        yield middle, outers
    finally:
        for place in (middle, *outers):
            subprocess.run(["ip", "netns", "del", place.name], capture_output=True, check=False)


def _tie(middle: Outer, outer: Outer) -> None:
    here, there = f"{outer.name}a", f"{outer.name}b"
    run("ip", "link", "add", here, "type", "veth", "peer", "name", there)
    for place, end, address in ((middle, here, outer.gateway), (outer, there, outer.address)):
        run("ip", "link", "set", end, "netns", place.name)
        run(*place.inside("ip", "addr", "add", f"{address}/30", "dev", end))
        run(*place.inside("ip", "link", "set", end, "up"))
