"""Bytes on the loopback interface, counted by the kernel's own tap and not by us."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_ETH_P_ALL = 0x0003
_PACKET_HOST = 0  # as it comes in; on loopback every packet also goes out, once
_UDP = 17
_RECEIVE_BUFFER = 8 << 20


class Tap:
    """Whole IP packets that carry UDP over loopback, by the two ports; a context manager."""

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)
            )
        except (PermissionError, AttributeError):
            pytest.skip("capturing on an interface needs Linux and root")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tap")
        self.bytes: dict[frozenset[int], int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def between(self, ports: set[int]) -> int:
        """Return the bytes of all packets from or to one of these ports."""
        return sum(size for pair, size in self.bytes.items() if pair & ports)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                packet, address = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if address[2] == _PACKET_HOST and packet[0] >> 4 == 4 and packet[9] == _UDP:
                head = (packet[0] & 0x0F) * 4
                (size,) = struct.unpack_from("!H", packet, 2)  # the IP header's total length
                pair = frozenset(struct.unpack_from("!HH", packet, head))
                self.bytes[pair] = self.bytes.get(pair, 0) + size


def udp_ports(package: str) -> set[int]:
    """Return the UDP ports of this process's child that runs one of our commands."""
    inodes: set[str] = set()
    for process in _children():
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if f"from {package}.cli import main" in command:
                links = [os.readlink(link) for link in (process / "fd").iterdir()]
                inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[9] in inodes}


def _children() -> list[Path]:
    own = str(os.getpid())
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rsplit(")", 1)[1].split()[1] == own:
                found.append(stat.parent)
    return found
