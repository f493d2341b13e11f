"""A call between two networks that only reach a TURN server, with the real commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.namespaces import Outer, star

SECRET = "north-wind"
PORT = 8080
WAIT_S = 90.0
ROOT = Path(__file__).resolve().parent.parent

# Signalling needs a way too; bytes of one TCP port go across, and no datagram does.
FORWARD = """
import asyncio, sys
async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
async def serve(reader, writer):
    there = await asyncio.open_connection(sys.argv[2], int(sys.argv[3]))
    await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
async def main():
    await (await asyncio.start_server(serve, sys.argv[1], int(sys.argv[3]))).serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def running(log: Path, command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def coturn(folder: Path, outers: list[Outer]) -> list[str]:
    listens = [f"--listening-ip={outer.gateway}" for outer in outers]
    relays = [f"--relay-ip={outer.gateway}" for outer in outers]
    return [
        *("turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--realm=headcall"),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--fingerprint"),
        *("--log-file=stdout", f"--pidfile={folder}/turn.pid", f"--userdb={folder}/turn.db"),
        *listens,
        *relays,
    ]


def said(log: Path, pattern: str, process: subprocess.Popen[bytes]) -> str:
    """Wait until a process has written something and return its first group."""
    deadline = time.monotonic() + WAIT_S
    while (found := re.search(pattern, log.read_text("utf-8", "replace"))) is None:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")
        time.sleep(0.1)
    return found[1]


def test_no_datagram_crosses() -> None:
    send = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "s.sendto(b'x', (sys.argv[1], 9))"
    )
    with star(2) as (_, (one, other)):
        reached = subprocess.run(
            one.inside(sys.executable, "-c", send, one.gateway), capture_output=True, check=False
        )
        assert reached.returncode == 0, reached.stderr
        blocked = subprocess.run(
            one.inside(sys.executable, "-c", send, other.address), capture_output=True, check=False
        )
        assert b"unreachable" in blocked.stderr


@pytest.mark.timeout(400)
def test_a_call_through_a_relay(demo_clip: Path, tmp_path: Path) -> None:
    if shutil.which("turnserver") is None:
        pytest.skip("coturn is not installed (apt-get install coturn)")
    with star(2) as (middle, (caller, watcher)), contextlib.ExitStack() as stack:
        turn_log, log = tmp_path / "turn.log", tmp_path / "receiver.log"
        turn = middle.inside(*coturn(tmp_path, [caller, watcher]))
        stack.enter_context(running(turn_log, turn))
        forward = [sys.executable, "-c", FORWARD, caller.gateway, watcher.address, str(PORT)]
        stack.enter_context(running(tmp_path / "forward.log", middle.inside(*forward)))

        def settings(outer: Outer) -> dict[str, str]:
            return {
                "HEADCALL_LINK_ICE_SERVERS": f'["turn:{outer.gateway}:3478"]',
                "HEADCALL_LINK_TURN_SECRET": SECRET,
                "PYTHONUNBUFFERED": "1",
            }

        report = tmp_path / "receiver.json"
        receive = [sys.executable, "-m", "receiver.cli", "--host", "0.0.0.0", "--port", str(PORT)]
        receiver = stack.enter_context(
            running(
                log,
                watcher.inside(*receive, "--once", "--report", str(report)),
                **settings(watcher),
                HEADCALL_PUBLIC_URL=f"http://{caller.gateway}:{PORT}",
            )
        )
        link = said(log, r"sender (http://\S+#token=\S+)", receiver)
        send = [sys.executable, "-m", "sender.cli", link, "--source", str(demo_clip)]
        sent = subprocess.run(
            caller.inside(*send, "--seconds", "4", "--timeout", "60"),
            env={**os.environ, **settings(caller)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert sent.returncode == 0, sent.stderr + turn_log.read_text()
        assert receiver.wait(60) == 0, log.read_text()
    figures = json.loads(report.read_text())
    assert figures["frames_shown"] > 5
