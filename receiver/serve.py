"""Puts the receiver together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from receiver.bouncer import Bouncer
from receiver.config import ReceiverSettings, receiver_settings
from receiver.door import Door
from receiver.guard import Guard
from receiver.links import LinkOffice, Links, is_local, reachable_url
from receiver.loading import Loaded, load_generators
from receiver.lobby import create_lobby
from receiver.outputs import check_output, in_room
from receiver.portrait import FaceGenerator, Portrait
from receiver.room import Room
from receiver.server import Tls, WebServer, bind, on_stop_signal, url_of
from receiver.sinks import Sink
from receiver.station import Station, StationOptions
from receiver.tokens import Tokens
from receiver.video_file import VideoFile
from receiver.web import create_app
from receiver.whep import Watchers
from receiver.window import Window
from shared.errors import BadInputError
from shared.pictures import Image, read_picture
from shared.tasks import spawn

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked for types only.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        preset: generator preset.
        engine: engine that runs it.
        ref: the receiver's own photograph, or None to take the sender's.
        out: video file to write, or None.
        report: JSON file to write, or None.
        window: show a window.
        once: end with the first call.
        tls: certificate and key for HTTPS, or None for HTTP.
        calls: how many calls at once; more than one each have a room of their own.
    """

    host: str
    port: int
    preset: str
    engine: str
    ref: Path | None = None
    out: Path | None = None
    report: Path | None = None
    window: bool = False
    once: bool = False
    tls: Tls | None = None
    calls: int = 1

    @property
    def rooms(self) -> Sequence[int]:
        """The rooms' numbers, from 1; 0 is the only one."""
        return range(1, self.calls + 1) if self.calls > 1 else (0,)


def run(
    options: Options,
    ready: Callable[[Links], None],
    load: Callable[[str, str, int], Loaded] = load_generators,
) -> None:
    """Serve calls until Ctrl-C, or until the first has ended with ``once``.

    Everything that can be wrong with the options is found before the first caller is let in.

    Args:
        options: the command line.
        ready: told the links of every room, and last those to the list of rooms where there are
            several, once calls are answered, and again when there are new ones.
        load: makes the generators.

    Raises:
        BadInputError: an option cannot be used.
    """
    files = _check_outputs(options)
    if options.tls:
        options.tls.check()
    photograph = read_picture(options.ref) if options.ref else None
    with contextlib.closing(bind(options.host, options.port)) as listener:
        loaded = load(options.preset, options.engine, options.calls)
        try:
            portraits = [_portrait(one, photograph, options.ref) for one in loaded.generators]
            for flaw in loaded.generators[0].flaws:
                log.warning("--ref %s: %s; another photograph would do better", options.ref, flaw)
            asyncio.run(_serve(options, portraits, loaded, files, listener, ready))
        finally:
            loaded.close()


def _check_outputs(options: Options) -> list[VideoFile | None]:
    """Return each room's file, once it is sure that all that is to be written or shown can be."""
    if options.window and options.calls > 1:
        raise BadInputError(
            "--window shows one call; leave it out with --calls, and watch the rooms in a browser"
        )
    out, report = options.out, options.report
    files = [VideoFile(in_room(out, room)) if out else None for room in options.rooms]
    for room in options.rooms:
        if report:
            check_output(in_room(report, room), [".json"], "--report")
    if options.window:
        Window.check()
    return files


def _portrait(generator: FaceGenerator, photograph: Image | None, ref: Path | None) -> Portrait:
    portrait = Portrait(generator)
    if photograph is not None:
        try:
            portrait.take(photograph)
        except BadInputError as error:
            raise BadInputError(f"--ref {ref}: {error}") from error
    return portrait


async def _serve(
    options: Options,
    portraits: Sequence[Portrait],
    loaded: Loaded,
    files: Sequence[VideoFile | None],
    listener: socket.socket,
    ready: Callable[[Links], None],
) -> None:
    settings = receiver_settings()
    window = Window() if options.window else None
    protected, base = _reached(listener, options.tls, settings)
    hosts = [*settings.allowed_hosts.split(","), options.host, urlsplit(base).hostname or ""]
    guard = Guard(hosts)
    rooms = []
    for number, portrait, file in zip(options.rooms, portraits, files, strict=True):
        sinks: list[Sink] = [sink for sink in (window, file) if sink is not None]
        tokens = Tokens() if protected else None
        rooms.append(
            Room(
                number,
                _station(options, number, portrait, loaded, sinks),
                Door(guard, tokens),
                LinkOffice(base, tokens, settings, number),
            )
        )
    offices = [room.office for room in rooms]
    if options.calls == 1:
        app = create_app(rooms[0].station, rooms[0].door)
    else:
        tokens = Tokens() if protected else None
        app = create_lobby(rooms, Door(guard, tokens))
        offices.append(LinkOffice(base, tokens, settings, calls=False))
    bouncer = Bouncer({room.path: room.door for room in rooms})
    server = WebServer(app, options.tls, bouncer)
    listener.listen()
    for office in offices:
        ready(office.links())
    renewing = [spawn(office.keep_telling(ready), "links") for office in offices]
    serving = spawn(server.serve(sockets=[listener]), "web server")
    stations = [room.station for room in rooms]
    try:
        await _until_stopped(options, stations, window, serving)
    finally:
        for task in renewing:
            task.cancel()
        await asyncio.gather(*(one.close("the receiver was stopped") for one in stations))
        server.should_exit = True
        await serving


def _station(
    options: Options, room: int, portrait: Portrait, loaded: Loaded, sinks: Sequence[Sink]
) -> Station:
    settings = receiver_settings()
    return Station(
        portrait,
        Watchers(settings.max_watchers),
        StationOptions(
            own_reference=options.ref is not None,
            delay_ms=settings.playout_delay_ms,
            face_model=loaded.face_model,
            report=in_room(options.report, room) if options.report else None,
            preset=options.preset,
            engine=loaded.engine,
        ),
        sinks,
    )


def _reached(
    listener: socket.socket, tls: Tls | None, settings: ReceiverSettings
) -> tuple[bool, str]:
    """Return whether who comes needs a token, and the address they come to."""
    scheme = "https" if tls else "http"
    if settings.public_url:
        return True, settings.public_url.rstrip("/")
    if is_local(listener):
        return settings.tokens == "always", url_of(listener, scheme)
    return True, reachable_url(listener, scheme)


async def _until_stopped(
    options: Options,
    stations: Sequence[Station],
    window: Window | None,
    serving: asyncio.Task[None],
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    endings: list[asyncio.Task[object]] = [spawn(_wait(stop), "stop signal")]
    if options.once:
        endings.append(spawn(_until_calls_are_over(stations), "end of the only call"))
    if window is not None:
        endings.append(spawn(_run_window(window), "window"))
    with on_stop_signal(lambda: loop.call_soon_threadsafe(stop.set)):  # type: ignore[arg-type]
        await asyncio.wait([serving, *endings], return_when=asyncio.FIRST_COMPLETED)
    for task in endings:
        task.cancel()


async def _wait(event: asyncio.Event) -> object:
    return await event.wait()


async def _until_calls_are_over(stations: Sequence[Station]) -> object:
    """Wait until a call has ended and no other room is in one."""
    first = [spawn(_wait(station.call_ended), "end of a call") for station in stations]
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in first:
            task.cancel()
    while any(station.busy for station in stations):
        for station in stations:
            await station.wait_until_free()
    return None


async def _run_window(window: Window) -> object:
    await window.run()
    return None
