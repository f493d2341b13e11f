"""The relay between two pairs of sockets in place of TUN devices: no rights are needed."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

import pytest

from benchmarks import relay as module
from benchmarks.patterns import Drop, Way
from benchmarks.profiles import Profile
from benchmarks.relay import BEGIN, Passage, Relay, Traffic

WAIT_S = 20.0


class Ends:
    """What a relay under test is driven by."""

    def __init__(
        self,
        sender: socket.socket,
        receiver: socket.socket,
        taps: list[socket.socket],
        parent: Connection,
    ) -> None:
        self.sender = sender
        self.receiver = receiver
        self.parent = parent
        self._taps = taps

    def wait_until_taken(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while select.select(self._taps, [], [], 0)[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def traffic(self) -> Traffic:
        self.parent.send("end")
        assert self.parent.poll(WAIT_S)
        traffic = self.parent.recv()
        assert isinstance(traffic, Traffic)
        return traffic


@contextmanager
def relaying(up: Way, down: Way | None = None) -> Iterator[Ends]:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    (sender, sender_tap), (receiver, receiver_tap) = pairs
    parent, far_end = Pipe()
    relay = Relay(
        Profile("test", "", up, down or Way()), 1, sender_tap.fileno(), receiver_tap.fileno()
    )

    def run() -> None:
        try:
            relay.run(far_end)
        except EOFError:
            return

    thread = threading.Thread(target=run)
    thread.start()
    for end in (sender, receiver):
        end.settimeout(WAIT_S)
    try:
        yield Ends(sender, receiver, [sender_tap, receiver_tap], parent)
    finally:
        parent.close()
        thread.join(WAIT_S)
        for pair in pairs:
            for end in pair:
                end.close()
        far_end.close()
        assert not thread.is_alive()


def went(ends: Ends) -> list[Passage]:
    return [one for one in ends.traffic().passages if one.up]


def without_rights(pipe: Connection) -> None:
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    module.run(Profile("test", "", Way(), Way()), 1, pipe)


def test_packets_pass_both_ways_and_are_counted() -> None:
    with relaying(Way()) as ends:
        ends.sender.send(b"x" * 100)
        assert ends.receiver.recv(2000) == b"x" * 100
        ends.receiver.send(b"y" * 60)
        assert ends.sender.recv(2000) == b"y" * 60
        traffic = ends.traffic()
    assert [(one.up, one.size, one.drop) for one in traffic.passages] == [
        (True, 100, None),
        (False, 60, None),
    ]
    assert traffic.begin_ms is None


def test_packets_come_out_when_they_are_due_and_not_before() -> None:
    with relaying(Way(delay_ms=80, jitter_ms=40)) as ends:
        for number in range(20):
            ends.sender.send(bytes([number]))
        arrived = [ends.receiver.recv(2000)[0] for _ in range(20)]
        passages = ends.traffic().passages
    assert sorted(arrived) == list(range(20))
    outs = [one.out_ms for one in passages if one.out_ms is not None]
    assert arrived == sorted(range(20), key=outs.__getitem__)
    for one in passages:
        assert one.late_ms >= 0
        assert one.out_ms is not None
        assert 40 <= one.out_ms - one.entered_ms <= 120


def test_what_is_lost_does_not_arrive() -> None:
    with relaying(Way(loss=0.5)) as ends:
        for number in range(100):
            ends.sender.send(bytes([number]))
        ends.wait_until_taken()
        lost = {n for n, one in enumerate(went(ends)) if one.drop is Drop.LOSS}
        arrived = {ends.receiver.recv(2000)[0] for _ in range(100 - len(lost))}
    assert 20 < len(lost) < 80
    assert arrived == set(range(100)) - lost


def test_a_cut_begins_with_the_call() -> None:
    with relaying(Way(cuts=((0.0, 1000.0),))) as ends:
        ends.sender.send(b"before")
        assert ends.receiver.recv(2000) == b"before"
        ends.parent.send(BEGIN)
        # The word came before the packet, but the relay may read both at once, packets first.
        while True:
            ends.sender.send(b"after")
            ends.receiver.settimeout(0.2)
            try:
                ends.receiver.recv(2000)
            except TimeoutError:
                break
        traffic = ends.traffic()
    assert traffic.begin_ms is not None
    assert traffic.passages[0].entered_ms < traffic.begin_ms <= traffic.passages[-1].entered_ms
    assert traffic.passages[-1].drop is Drop.CUT


def test_what_is_under_way_at_the_end_was_on_the_link_too() -> None:
    with relaying(Way(delay_ms=60_000)) as ends:
        ends.sender.send(b"x" * 10)
        ends.wait_until_taken()
        traffic = ends.traffic()
    assert [(one.up, one.size) for one in traffic.passages] == [(True, 10)]


def test_it_holds_no_more_than_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_IN_FLIGHT", 3)
    with relaying(Way(delay_ms=60_000)) as ends:
        for _ in range(5):
            ends.sender.send(b"x")
        ends.wait_until_taken()
        drops = [one.drop for one in went(ends)]
    assert drops == [None, None, None, Drop.QUEUE, Drop.QUEUE]


def test_the_relay_ends_with_its_parent() -> None:
    with relaying(Way()) as ends:
        ends.parent.close()  # the thread is joined, and the join checked, on the way out


def test_a_machine_that_does_not_allow_it_is_told_in_a_sentence() -> None:
    parent, far_end = Pipe()
    child = get_context("spawn").Process(target=without_rights, args=(far_end,))
    child.start()
    far_end.close()
    child.join()
    assert str(parent.recv()).startswith("no link can be emulated here (")
    parent.close()
