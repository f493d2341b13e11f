"""Attempts that are given up leave nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.call import free_port
from shared.attempt import Attempt
from shared.claim import Claim, new_join_id
from shared.link_config import LinkSettings
from shared.signalling import CallAddress
from shared.tally import Tally

# As on a machine with several networks: aioice opens a socket for each, one after the other.
ADDRESSES = ["127.0.0.1"] * 3
TURNS = 40


def sockets() -> set[str]:
    """Return this process's open sockets."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            name = str(link.readlink())
        except FileNotFoundError:  # the folder's own
            continue
        if name.startswith("socket:"):
            found.add(name)
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
async def test_an_attempt_given_up_at_any_moment_leaves_no_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.loopback._addresses_or_loopback", lambda *_, **__: ADDRESSES)
    address = CallAddress.parse(f"http://localhost:{free_port()}")
    before = sockets()
    most = 0
    for turns in range(1, TURNS):
        attempt = Attempt(lambda: 0.0, lambda link, message: None, LinkSettings(), Tally())
        claim = Claim.of(new_join_id(), None, "")
        run = attempt.run(address, lambda offer, claim=claim: claim, "face", lambda joined: None)
        task = asyncio.create_task(run)
        for _ in range(turns):
            await asyncio.sleep(0)
        most = max(most, len(sockets() - before))
        task.cancel()
        await asyncio.wait({task})
        async with asyncio.timeout(30):
            await asyncio.shield(attempt.link.closed)
    for _ in range(10):  # transports close in the loop's next turns
        await asyncio.sleep(0)
    assert most >= len(ADDRESSES)  # some were cancelled in the middle of it
    assert sockets() == before
