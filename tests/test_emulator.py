"""The emulated link on real network namespaces; skips where they cannot be made."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.emulator import EmulatedLink
from benchmarks.patterns import Way
from benchmarks.profiles import Profile
from benchmarks.relay import RECEIVER_ADDRESS, SENDER_ADDRESS
from shared.errors import BadInputError

ROOT = Path(__file__).resolve().parent.parent
PORT = 7000
COUNT = 200
SIZE = 72  # bytes of payload; with IPv4's and UDP's headers 100

SERVE = f"""
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("{RECEIVER_ADDRESS}", {PORT}))
print("ready", flush=True)
while True:
    server.sendto(*server.recvfrom(2000))
"""
ASK = f"""
import socket, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(("{RECEIVER_ADDRESS}", {PORT}))
client.settimeout(2.0)
for number in range({COUNT}):
    client.send(number.to_bytes(2, "big") * {SIZE // 2})
    time.sleep(0.002)
got = []
try:
    while len(got) < {COUNT}:
        got.append(int.from_bytes(client.recv(2000)[:2], "big"))
except TimeoutError:
    pass
print(client.getsockname()[0], *got)
"""


@contextmanager
def emulating(up: Way, down: Way) -> Iterator[EmulatedLink]:
    try:
        link = EmulatedLink(Profile("test", "", up, down))
    except BadInputError as error:
        pytest.skip(str(error))
    with link:
        yield link


def exchange(link: EmulatedLink) -> tuple[str, list[int]]:
    """Send datagrams to an echo; returns the sender's address and the numbers that came back."""
    serve = subprocess.Popen(
        [*link.at_receiver, sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True
    )
    try:
        assert serve.stdout is not None
        assert serve.stdout.readline() == "ready\n"
        asked = subprocess.run(
            [*link.at_sender, sys.executable, "-c", ASK],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        serve.terminate()
        serve.wait()
        assert serve.stdout is not None
        serve.stdout.close()
    address, *numbers = asked.stdout.split()
    return address, [int(number) for number in numbers]


def test_a_clean_link_passes_everything_and_counts_every_byte() -> None:
    with emulating(Way(), Way()) as link:
        address, numbers = exchange(link)
        passages = link.traffic().passages
    assert address == SENDER_ADDRESS
    assert numbers == list(range(COUNT))
    for up in (True, False):
        sizes = [one.size for one in passages if one.up == up]
        assert sizes == [SIZE + 28] * COUNT


def test_losses_and_delay_meet_real_packets() -> None:
    with emulating(Way(delay_ms=30, loss=0.3), Way(delay_ms=50, loss=0.1, burst=4)) as link:
        _, numbers = exchange(link)
        passages = link.traffic().passages
    went = [one for one in passages if one.up]
    came = [one for one in passages if not one.up]
    assert len(went) == COUNT
    assert len(came) == sum(one.drop is None for one in went)
    assert len(numbers) == sum(one.drop is None for one in came)
    assert 0.15 * COUNT < COUNT - len(came) < 0.45 * COUNT
    for one in went:
        assert one.out_ms is None or one.out_ms - one.entered_ms == pytest.approx(30)


def test_large_tcp_streams_pass_in_packets_of_the_link() -> None:
    with emulating(Way(), Way()) as link:
        server = link.ask_receiver(lambda: socket.create_server((RECEIVER_ADDRESS, PORT)))
        server.settimeout(30)
        connect = (
            "import socket, sys\n"
            f"s = socket.create_connection(('{RECEIVER_ADDRESS}', {PORT}), 30)\n"
            "s.sendall(bytes(300_000))\n"
        )
        with subprocess.Popen([*link.at_sender, sys.executable, "-c", connect]) as client:
            connection, _ = server.accept()
            connection.settimeout(30)
            size = 0
            while data := connection.recv(65536):
                size += len(data)
            connection.close()
            server.close()
        passages = link.traffic().passages
    assert client.returncode == 0
    assert size == 300_000
    assert max(one.size for one in passages) <= 1500
    assert sum(one.size for one in passages if one.up) > 300_000


def test_two_links_at_once_do_not_meet() -> None:
    with emulating(Way(), Way()) as first, emulating(Way(), Way()) as second:
        assert exchange(first)[1] == list(range(COUNT))
        assert second.traffic().passages == []


def test_nothing_is_left_of_a_killed_benchmark(tmp_path: Path) -> None:
    with emulating(Way(), Way()):
        pass  # skips here where there are no rights
    script = tmp_path / "benchmark.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "from benchmarks.emulator import EmulatedLink\n"
        "from benchmarks.profiles import profile\n"
        "if __name__ == '__main__':\n"
        "    link = EmulatedLink(profile('clean', 30))\n"
        "    ends = [subprocess.Popen([*at, sys.executable, '-c',"
        " 'import time; print(1, flush=True); time.sleep(300)'], stdout=subprocess.PIPE)\n"
        "        for at in (link.at_sender, link.at_receiver)]\n"
        "    [end.stdout.read(1) for end in ends]\n"
        "    print(link._process.pid, *[end.pid for end in ends], flush=True)\n"
        "    time.sleep(300)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as benchmark:
        assert benchmark.stdout is not None
        pids = [int(pid) for pid in benchmark.stdout.readline().split()]
        assert len(pids) == 3
        assert all(is_running(pid) for pid in pids)
        benchmark.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    # The namespaces have no names: with the last process in them they are gone.
    assert [pid for pid in pids if is_running(pid)] == []


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInputError, match="ip, nsenter, setpriv"):
        EmulatedLink(Profile("test", "", Way(), Way()))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
