"""Good joins during a flood of bad ones, against a receiver of its own on this machine.

    python -m benchmarks.flood --out OUT [--rate N] [--seconds S]

starts a receiver on loopback, with tokens on, sends it bad joins at a rate (no token, a forged
one, another type, a body far too long, descriptions that are none or cannot be answered), each on
a connection of its own, and meanwhile joins again and again as an honest sender does. It writes
`OUT/flood.json` and `OUT/flood.png`, and ends by itself with the receiver it started. Exit code 1:
an honest join failed or took over 2 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.call import READY_TIMEOUT_S, free_port
from benchmarks.child import Child
from benchmarks.decoders import DESCRIPTION
from benchmarks.results import machine, write_result
from shared.command import run_command
from shared.errors import HeadCallError
from shared.face_model import FaceModel
from shared.transport import CallSender

LIMIT_S = 2.0
MOST_SECONDS, MOST_RATE = 60.0, 5000
_AT_ONCE = 200
_REPLY_S = 5.0
_JOIN_S = 15.0
_PAUSE_S = 0.2
_HUGE = 1 << 30


@dataclass(slots=True)
class Flooded:
    """What was measured.

    Attributes:
        seconds: how long the flood lasted.
        answers: how often bad joins got each HTTP status, or none.
        joins_s: seconds from posting to the welcome, for each honest join.
        failures: what honest joins failed with.
    """

    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    joins_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every honest join came about in time."""
        return bool(self.joins_s) and not self.failures and max(self.joins_s) <= LIMIT_S


def bad_joins(host: str, token: str) -> list[bytes]:
    """Return requests that no receiver takes.

    Args:
        host: the receiver's host and port.
        token: a good token, or "" where none is needed; it makes some of them cost more.
    """

    def post(
        body: bytes, kind: str = "application/sdp", length: int = -1, ticket: str = ""
    ) -> bytes:
        size = len(body) if length < 0 else length
        head = (
            f"POST /whip HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {size}\r\nAuthorization: Bearer {ticket}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body

    unanswerable = DESCRIPTION.replace("a=setup:actpass", "a=setup:nonsense")
    hidden = DESCRIPTION.replace("a=mid:0", "a=mid:0\x85m=video 9 UDP/TLS/RTP/SAVPF 96")
    return [
        post(b"hello", ticket=token),
        post(DESCRIPTION[:200].encode(), ticket=token),
        post(unanswerable.encode(), ticket=token),
        post(hidden.encode(), ticket=token),
        post(b"{}", kind="application/json", ticket=token),
        post(bytes(2000), length=_HUGE, ticket=token),
        post(DESCRIPTION.encode(), ticket="e30." + "x" * 100 + ".y"),
        post(DESCRIPTION.encode()),
    ]


def flood(
    address: tuple[str, int], requests: list[bytes], rate: float, seconds: float
) -> tuple[Counter[str], float]:
    """Send bad joins at a rate, each on a connection of its own.

    Returns:
        How often each HTTP status came back, and the seconds it took.
    """
    return asyncio.run(flood_on(address, requests, rate, seconds))


async def flood_on(
    address: tuple[str, int], requests: list[bytes], rate: float, seconds: float
) -> tuple[Counter[str], float]:
    """Do the same on a loop that runs already."""
    answers: Counter[str] = Counter()
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(request: bytes) -> None:
        try:
            answers[await _answer(address, request)] += 1
        finally:
            slots.release()

    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(itertools.cycle(requests)):
            if (behind := start + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(behind)
            if time.monotonic() - start > seconds:
                break
            await slots.acquire()
            group.create_task(one(request))
    return answers, time.monotonic() - start


async def _answer(address: tuple[str, int], request: bytes) -> str:
    writer = None
    try:
        async with asyncio.timeout(_REPLY_S):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request)
            line = await reader.readline()
        return line.split()[1].decode() if line else "closed"
    except (OSError, TimeoutError, IndexError):
        return "closed"
    finally:
        if writer is not None:
            writer.transport.abort()


async def join_on(url: str, face_model: str, seconds: float, into: Flooded) -> None:
    """Join as a sender does, leave, and again, for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            call = await CallSender.connect(url, timeout=_JOIN_S, face_model=face_model)
            into.joins_s.append(time.monotonic() - start)
            await call.close("joined")
        except HeadCallError as error:
            into.failures.append(str(error))
        await asyncio.sleep(_PAUSE_S)


async def measure(url: str, face_model: str, rate: float, seconds: float) -> Flooded:
    """Flood the receiver behind a link and join it meanwhile.

    Args:
        url: the link, on this machine.
        face_model: the face model's fingerprint.
        rate: bad joins a second.
        seconds: how long.
    """
    link, into = httpx.URL(url), Flooded()
    address = ("127.0.0.1", link.port or 80)
    requests = bad_joins(f"{link.host}:{link.port}", link.fragment.partition("=")[2])
    loop = asyncio.get_running_loop()
    # In a process of its own: the honest sender shall not wait for the flood's side of the work.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        await loop.run_in_executor(pool, _warm_up)
        flooding = loop.run_in_executor(pool, flood, address, requests, rate, seconds)
        await join_on(url, face_model, seconds, into)
        into.answers, into.seconds = await flooding
    return into


def _warm_up() -> None:
    """Let a new process import what it needs before the clock runs."""


def main(
    out: Annotated[Path, typer.Option(help="Folder for flood.json and flood.png.")] = Path("build"),
    rate: Annotated[float, typer.Option(min=1, max=MOST_RATE, help="Bad joins a second.")] = 1000,
    seconds: Annotated[float, typer.Option(min=1, max=MOST_SECONDS, help="How long.")] = 10,
) -> None:
    """Join a receiver of our own while it is flooded with bad joins."""
    out.mkdir(parents=True, exist_ok=True)
    face_model, port = FaceModel.load().fingerprint, free_port()
    with _tokens_on(), Child("receiver", ["--port", str(port)], out / "flood.log") as receiver:
        receiver.wait_until(lambda: "Call with:" in receiver.output(), READY_TIMEOUT_S)
        found = re.search(r"sender (http://\S+)", receiver.output())
        assert found is not None
        with Progress() as progress:
            task = progress.add_task("flooding", total=seconds)
            result = asyncio.run(
                _ticking(
                    measure(found[1], face_model, rate, seconds),
                    lambda done: progress.update(task, completed=min(done, seconds)),
                )
            )
    _write(out, result, rate)
    if not result.is_good:
        raise typer.Exit(1)


async def _ticking(work: Any, tick: Callable[[float], None]) -> Flooded:
    task, start = asyncio.ensure_future(work), time.monotonic()
    while not task.done():
        await asyncio.wait({task}, timeout=0.5)
        tick(time.monotonic() - start)
    result: Flooded = task.result()
    return result


@contextlib.contextmanager
def _tokens_on() -> Any:
    before = os.environ.get("HEADCALL_TOKENS")
    os.environ["HEADCALL_TOKENS"] = "always"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HEADCALL_TOKENS"]
        else:
            os.environ["HEADCALL_TOKENS"] = before


def _write(out: Path, result: Flooded, rate: float) -> None:
    from matplotlib.figure import Figure

    answered = sum(result.answers.values())
    joins = result.joins_s or [float("nan")]
    figures = {
        "rate_wanted": rate,
        "rate": answered / result.seconds,
        "answers": dict(result.answers),
        "joins": len(result.joins_s),
        "join_s": {"p50": float(np.median(joins)), "max": max(joins)},
        "failures": result.failures,
        "machine": machine(),
    }
    write_result(out / "flood.json", figures)
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(joins, "o-")
    axes.axhline(LIMIT_S, color="tab:red")
    axes.set_xlabel("honest join")
    axes.set_ylabel("seconds to the welcome")
    axes.set_title(f"{figures['rate']:.0f} bad joins a second", fontsize=9)
    figure.savefig(out / "flood.png", dpi=120)
    Console().print(
        f"{figures['rate']:.0f} bad joins a second ({dict(result.answers)}); {len(joins)} honest "
        f"joins, median {np.median(joins):.2f} s, worst {max(joins):.2f} s, "
        f"{len(result.failures)} failed {result.failures[:2]}",
        highlight=False,
        markup=False,
    )


if __name__ == "__main__":
    run_command(main)
