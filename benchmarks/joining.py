"""How long joining takes, and coming back after a cut, through loss.

    python -m benchmarks.joining --out OUT [--loss 0.1] [--tries 20] [--cut S] [--new-link]

writes `OUT/joining.json` and `OUT/joining.png`. Receiver, with the real generator, and sender are
in this process; datagrams are lost where they would leave it (`benchmarks.weather`), HTTP is not.
The clock runs from the sender's first word to the first rebuilt picture. With `--cut` every call
is cut for that many seconds, and what counts is when the receiver says so, and the first picture
of a frame captured after the link's return; with `--new-link` the connections of before stay dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.clips import DEMO_CLIP
from benchmarks.packaged import fetch
from benchmarks.results import machine, write_result
from benchmarks.sending import send
from benchmarks.weather import Weather
from models.engine import Engine
from receiver.door import Door
from receiver.generator import Generator
from receiver.guard import Guard
from receiver.picture import Picture
from receiver.portrait import Portrait
from receiver.server import WebServer, bind, url_of
from receiver.station import Station, StationOptions
from receiver.web import create_app
from receiver.whep import Watchers
from sender.photograph import MIME, encode_photograph
from shared.command import run_command
from shared.config import settings
from shared.errors import UnreachableError
from shared.face_model import FaceModel
from shared.params import Frame, Params
from shared.tasks import spawn
from shared.transport import CallSender

FRAME_S = 0.04
CLIP_FRAMES = 50
LONGEST_S = 90.0


@dataclass(frozen=True, slots=True)
class Face:
    """What a caller shows: a photograph, and parameters of frames."""

    photograph: bytes
    params: list[Params]
    model: FaceModel

    @classmethod
    def of(cls, clip: Path) -> Face:
        """Track the first frames of a clip."""
        model = FaceModel.load()
        sent = list(send(clip, model, CLIP_FRAMES))
        return cls(encode_photograph(sent[0].picture), [one.fitted for one in sent], model)


class Shown:
    """A sink that notes when which frame was shown."""

    def __init__(self) -> None:
        self.captured_ms = -1
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def show(self, picture: Picture) -> None:
        """Take a picture, on the painting thread."""
        self.captured_ms = picture.captured_ms
        self._loop.call_soon_threadsafe(self._news.set)

    def end_call(self) -> None:
        """Nothing ends here."""

    async def since(self, captured_ms: float) -> float:
        """Wait for a picture of a frame that is no older; returns the time it came."""
        async with asyncio.timeout(LONGEST_S):
            while self.captured_ms < captured_ms:
                self._news.clear()
                await self._news.wait()
        return perf_counter()


@contextlib.asynccontextmanager
async def serving(portrait: Portrait, face: Face, shown: Shown) -> AsyncIterator[tuple[Any, str]]:
    """Serve calls; yields the station and its address."""
    options = StationOptions(False, 20.0, face.model.fingerprint, None, "lite", "auto")
    station = Station(portrait, Watchers(1), options, [shown])
    listener = bind("127.0.0.1", 0)
    listener.listen()
    server = WebServer(create_app(station, Door(Guard([]))))
    task = spawn(server.serve(sockets=[listener]), "web server")
    try:
        yield station, url_of(listener)
    finally:
        await station.close("the try is over")
        server.should_exit = True
        await task


async def talk(caller: CallSender, face: Face) -> None:
    """Send frames until cancelled."""
    for number, params in enumerate(cycle(face.params)):
        caller.send_frame(Frame(number, int(caller.clock.now_ms()), params))
        await asyncio.sleep(FRAME_S)


async def attempt(
    portrait: Portrait, face: Face, weather: Weather, cut_s: float, new_link: bool
) -> dict[str, float]:
    """Make one call; returns seconds by name, nothing for what did not come about."""
    shown, times = Shown(), {}
    with weather.over_links():
        async with serving(portrait, face, shown) as (station, url):
            start = perf_counter()
            try:
                caller = await CallSender.connect(
                    url, timeout=settings().connect_timeout_s, face_model=face.model.fingerprint
                )
            except UnreachableError:
                return {}
            times["joined_s"] = perf_counter() - start
            try:
                await caller.send_reference(face.photograph, MIME)
                await caller.send_calibration(face.params[0])
                talking = spawn(talk(caller, face), "talking")
                times["setup_s"] = await shown.since(0) - start
                if cut_s:
                    times |= await _cut(station, caller, shown, weather, cut_s, new_link)
                talking.cancel()
            finally:
                await caller.close("the try is over")
    return times


async def _cut(
    station: Station, caller: CallSender, shown: Shown, weather: Weather, cut_s: float, new: bool
) -> dict[str, float]:
    await asyncio.sleep(2)
    before = list(weather.links)
    start, weather.is_cut = perf_counter(), True
    noticed: dict[str, float] = {}
    while (now := perf_counter()) - start < cut_s:
        for name, silent in (
            ("receiver_noticed_s", station.stats()["state"] == "reconnecting"),
            ("sender_noticed_s", caller.reconnecting),
        ):
            if silent:
                noticed.setdefault(name, now - start)
        await asyncio.sleep(0.02)
    if new:
        weather.dead += before
    weather.is_cut, back, back_ms = False, perf_counter(), caller.clock.now_ms()
    return noticed | {"fresh_s": await shown.since(back_ms) - back}


def summarise(tries: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return median and p95 of everything that was timed."""
    names = dict.fromkeys(name for one in tries for name in one)
    return {
        name: {
            "median": statistics.median(values),
            "p95": float(np.percentile(values, 95)),
            "max": max(values),
            "count": float(len(values)),
        }
        for name in names
        if (values := [one[name] for one in tries if name in one])
    }


def draw(path: Path, result: dict[str, Any]) -> None:
    """Write every try's times, sorted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for name in result["summary"]:
        values = sorted(one[name] for one in result["each"] if name in one)
        axes.step(np.arange(1, len(values) + 1), values, where="mid", label=name)
    axes.set_xlabel("tries, fastest first")
    axes.set_ylabel("seconds")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    axes.set_title(f"{result['loss']:.0%} loss, {result['machine']}", fontsize=9)
    figure.savefig(path, dpi=120)


def main(
    out: Annotated[Path, typer.Option(help="Folder for joining.json and joining.png.")] = Path(
        "build"
    ),
    loss: Annotated[float, typer.Option(help="Share of datagrams lost.", min=0, max=0.9)] = 0.0,
    tries: Annotated[int, typer.Option(help="How many calls.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Of the first try's losses; then one more.")] = 1,
    cut: Annotated[float, typer.Option(help="Cut every call for so many seconds.", min=0)] = 0.0,
    new_link: Annotated[
        bool, typer.Option("--new-link", help="After the cut only new connections work.")
    ] = False,
    clip: Annotated[Path | None, typer.Option(help="A face clip; default: the demo's.")] = None,
) -> None:
    """Measure how long joining takes, and coming back after a cut."""
    out.mkdir(parents=True, exist_ok=True)
    face = Face.of(clip or fetch(DEMO_CLIP, out / "clips"))
    portrait = Portrait(Generator(Engine.load(), face.model))
    with Progress() as progress:
        task = progress.add_task("calling", total=tries)

        def tick() -> None:
            progress.advance(task)

        each = asyncio.run(
            _all(portrait, face, range(seed, seed + tries), loss, cut, new_link, tick)
        )
    result: dict[str, Any] = {
        "loss": loss,
        "tries": tries,
        "failed": sum(not one for one in each),
        "seed": seed,
        "cut_s": cut,
        "new_link": new_link,
        "summary": summarise(each),
        "each": each,
        "machine": machine(),
    }
    write_result(out / "joining.json", result)
    draw(out / "joining.png", result)
    table = Table("", "median s", "p95 s", "max s", "of")
    for name, figures in result["summary"].items():
        row = (f"{figures[key]:.2f}" for key in ("median", "p95", "max"))
        table.add_row(name, *row, f"{figures['count']:.0f}")
    Console().print(table)


async def _all(
    portrait: Portrait,
    face: Face,
    seeds: range,
    loss: float,
    cut_s: float,
    new_link: bool,
    tick: Callable[[], None],
) -> list[dict[str, float]]:
    each = []
    for seed in seeds:
        each.append(await attempt(portrait, face, Weather(seed, loss), cut_s, new_link))
        tick()
    return each


if __name__ == "__main__":
    run_command(main)
