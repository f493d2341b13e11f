"""The process that is the emulated link: two network namespaces and what carries between them.

It makes both namespaces, a TUN device in each, and passes packets from one to the other as
`benchmarks.patterns` decides. A TUN device hands over whole IP packets, segmented and with their
checksums, so there is no Ethernet, no ARP and no offloading to think of. Neither namespaces nor
devices have a name outside: all of it lives as long as this process (and what runs inside), and
this process ends with the pipe to its parent, however the parent ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import select
import struct
import subprocess
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.patterns import Drop, Lane
from benchmarks.profiles import Profile
from shared.clock import monotonic_ms

SENDER_ADDRESS = "10.77.0.1"
RECEIVER_ADDRESS = "10.77.0.2"
BEGIN = "begin"
MAX_LOGGED = 1_000_000
_MAX_IN_FLIGHT = 20_000
_MTU = 1500
_DEVICE = "call0"
CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000


@dataclass(frozen=True, slots=True)
class Passage:
    """One packet that entered the link.

    Attributes:
        entered_ms: when, on this machine's monotonic clock.
        up: whether from the sender to the receiver.
        size: bytes of the IP packet, header included.
        out_ms: when it should come out; None when it was dropped.
        late_ms: how much later it did, since the relay is only a process among others.
        drop: why it was dropped.
    """

    entered_ms: float
    up: bool
    size: int
    out_ms: float | None
    late_ms: float
    drop: Drop | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Everything that entered the link, in order, and when the call began."""

    begin_ms: float | None
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Ready:
    """The relay's own descriptors of the two namespaces."""

    sender_namespace: int
    receiver_namespace: int


def run(profile: Profile, seed: int, parent: Connection) -> None:
    """Be the link until the parent closes its end of the pipe.

    Says `Ready` or, when a link cannot be made here, a sentence; then takes `BEGIN`, and answers
    anything else with the `Traffic` and ends.
    """
    # Ctrl-C reaches every process of a terminal; this one is ended by its parent.
    os.setsid()
    _hurry()
    try:
        first_tun, first_namespace = _make_namespace(SENDER_ADDRESS, RECEIVER_ADDRESS)
        second_tun, second_namespace = _make_namespace(RECEIVER_ADDRESS, SENDER_ADDRESS)
    except OSError as error:
        parent.send(f"no link can be emulated here ({error.strerror or error})")
        return
    except subprocess.CalledProcessError as error:
        parent.send(f"no link can be emulated here ({error.stderr.decode().strip()})")
        return
    parent.send(Ready(first_namespace, second_namespace))
    with contextlib.suppress(EOFError, BrokenPipeError):
        Relay(profile, seed, first_tun, second_tun).run(parent)


class Relay:
    """Carries packets between two TUN devices."""

    def __init__(self, profile: Profile, seed: int, sender_tun: int, receiver_tun: int) -> None:
        self._lanes = {
            True: Lane(profile.up, f"{seed} up"),
            False: Lane(profile.down, f"{seed} down"),
        }
        self._taps = {sender_tun: True, receiver_tun: False}
        self._exits = {True: receiver_tun, False: sender_tun}
        self._in_flight: list[tuple[float, int, bool, float, bytes]] = []
        self._count = 0
        self._begin_ms: float | None = None
        self._log: deque[Passage] = deque(maxlen=MAX_LOGGED)

    def run(self, parent: Connection) -> None:
        """Carry until the parent asks for the traffic.

        Raises:
            EOFError: the parent is gone.
        """
        word = parent.fileno()
        while True:
            readable, _, _ = select.select([*self._taps, word], [], [], self._wait_s())
            for tap, up in self._taps.items():
                if tap in readable:
                    self._take(os.read(tap, _MTU), up)
            self._release()
            if word in readable:
                if parent.recv() != BEGIN:
                    parent.send(Traffic(self._begin_ms, self._passages()))
                    return
                self._begin_ms = monotonic_ms()
                for lane in self._lanes.values():
                    lane.begin(self._begin_ms)

    def _passages(self) -> list[Passage]:
        left = [
            Passage(entered_ms, up, len(packet), out_ms, 0.0, None)
            for out_ms, _, up, entered_ms, packet in self._in_flight
        ]
        return sorted([*self._log, *left], key=lambda passage: passage.entered_ms)

    def _wait_s(self) -> float | None:
        if not self._in_flight:
            return None
        return max(0.0, (self._in_flight[0][0] - monotonic_ms()) / 1000)

    def _take(self, packet: bytes, up: bool) -> None:
        now_ms = monotonic_ms()
        out = self._lanes[up].send(len(packet), now_ms)
        if not isinstance(out, Drop) and len(self._in_flight) >= _MAX_IN_FLIGHT:
            out = Drop.QUEUE
        if isinstance(out, Drop):
            self._log.append(Passage(now_ms, up, len(packet), None, 0.0, out))
            return
        self._count += 1
        heapq.heappush(self._in_flight, (out, self._count, up, now_ms, packet))

    def _release(self) -> None:
        while self._in_flight and self._in_flight[0][0] <= (now_ms := monotonic_ms()):
            out_ms, _, up, entered_ms, packet = heapq.heappop(self._in_flight)
            os.write(self._exits[up], packet)
            late_ms = now_ms - out_ms
            self._log.append(Passage(entered_ms, up, len(packet), out_ms, late_ms, None))


def _hurry() -> None:
    """Go before others where that is allowed: what the relay is late by is measured as delay.

    It needs next to nothing of a processor.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _make_namespace(own: str, other: str) -> tuple[int, int]:
    """Move this process into a new network namespace with one device that leads to the relay.

    Returns:
        The device's and the namespace's descriptors; the latter stands for it after the process
        has moved on.

    Raises:
        OSError: this system or this user's rights do not allow it.
        CalledProcessError: the device could not be set up.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", _DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    for arguments in (
        "link set lo up",
        # No IPv6: its announcements would be counted as the call's.
        f"link set {_DEVICE} addrgenmode none mtu {_MTU}",
        f"address add {own} peer {other} dev {_DEVICE}",
        f"link set {_DEVICE} up",
    ):
        subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)
    return tun, os.open("/proc/self/ns/net", os.O_RDONLY)
