"""Puts the receiver together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from receiver.bouncer import Bouncer
from receiver.config import ReceiverSettings, receiver_settings
from receiver.door import Door
from receiver.guard import Guard
from receiver.links import LinkOffice, Links, is_local, reachable_url
from receiver.outputs import check_output
from receiver.portrait import FaceGenerator, Portrait
from receiver.server import Tls, WebServer, bind, on_stop_signal, url_of
from receiver.sinks import Sink
from receiver.station import Station, StationOptions
from receiver.tokens import Tokens
from receiver.video_file import VideoFile
from receiver.web import create_app
from receiver.whep import Watchers
from receiver.window import Window
from shared.errors import BadInputError
from shared.pictures import read_picture
from shared.tasks import spawn


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


@dataclass(frozen=True, slots=True)
class Loaded:
    """A generator, the fingerprint of the face model it draws, and what runs it."""

    generator: FaceGenerator
    face_model: str
    engine: str


def load_generator(preset: str, engine: str) -> Loaded:
    """Return the generator of a preset, running on an engine."""
    # Imported here: it takes seconds, and a mistake in the options should show at once.
    from models.engine import Engine
    from receiver.generator import Generator
    from shared.face_model import FaceModel

    model = FaceModel.load()
    loaded = Engine.load(preset=preset, engine=engine)
    return Loaded(Generator(loaded, model), model.fingerprint, loaded.name)


def run(
    options: Options,
    ready: Callable[[Links], None],
    load: Callable[[str, str], Loaded] = load_generator,
) -> None:
    """Serve calls until Ctrl-C, or until the first has ended with ``once``.

    Everything that can be wrong with the options is found before the first caller is let in.

    Args:
        options: the command line.
        ready: told the links once calls are answered, and again when there are new ones.
        load: makes the generator.

    Raises:
        BadInputError: an option cannot be used.
    """
    file = VideoFile(options.out) if options.out else None
    if options.report:
        check_output(options.report, [".json"], "--report")
    if options.window:
        Window.check()
    if options.tls:
        options.tls.check()
    photograph = read_picture(options.ref) if options.ref else None
    with contextlib.closing(bind(options.host, options.port)) as listener:
        loaded = load(options.preset, options.engine)
        portrait = Portrait(loaded.generator)
        if photograph is not None:
            try:
                portrait.take(photograph)
            except BadInputError as error:
                raise BadInputError(f"--ref {options.ref}: {error}") from error
        asyncio.run(_serve(options, portrait, loaded, file, listener, ready))


async def _serve(
    options: Options,
    portrait: Portrait,
    loaded: Loaded,
    file: VideoFile | None,
    listener: socket.socket,
    ready: Callable[[Links], None],
) -> None:
    settings = receiver_settings()
    window = Window() if options.window else None
    sinks: list[Sink] = [sink for sink in (window, file) if sink is not None]
    station = Station(
        portrait,
        Watchers(settings.max_watchers),
        StationOptions(
            own_reference=options.ref is not None,
            delay_ms=settings.playout_delay_ms,
            face_model=loaded.face_model,
            report=options.report,
            preset=options.preset,
            engine=loaded.engine,
        ),
        sinks,
    )
    tokens, base = _reached(listener, options.tls, settings)
    hosts = [*settings.allowed_hosts.split(","), options.host, urlsplit(base).hostname or ""]
    door = Door(Guard(hosts), tokens)
    server = WebServer(create_app(station, door), options.tls, Bouncer(door))
    listener.listen()
    office = LinkOffice(base, tokens, settings)
    ready(office.links())
    renewing = spawn(office.keep_telling(ready), "links")
    serving = spawn(server.serve(sockets=[listener]), "web server")
    try:
        await _until_stopped(options, station, window, serving)
    finally:
        renewing.cancel()
        await station.close("the receiver was stopped")
        server.should_exit = True
        await serving


def _reached(
    listener: socket.socket, tls: Tls | None, settings: ReceiverSettings
) -> tuple[Tokens | None, str]:
    """Return what checks who comes, and the address they come to."""
    scheme = "https" if tls else "http"
    if settings.public_url:
        return Tokens(), settings.public_url.rstrip("/")
    if is_local(listener):
        tokens = Tokens() if settings.tokens == "always" else None
        return tokens, url_of(listener, scheme)
    return Tokens(), reachable_url(listener, scheme)


async def _until_stopped(
    options: Options, station: Station, window: Window | None, serving: asyncio.Task[None]
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    endings: list[asyncio.Task[object]] = [spawn(_wait(stop), "stop signal")]
    if options.once:
        endings.append(spawn(_wait(station.call_ended), "end of the only call"))
    if window is not None:
        endings.append(spawn(_run_window(window), "window"))
    with on_stop_signal(lambda: loop.call_soon_threadsafe(stop.set)):  # type: ignore[arg-type]
        await asyncio.wait([serving, *endings], return_when=asyncio.FIRST_COMPLETED)
    for task in endings:
        task.cancel()


async def _wait(event: asyncio.Event) -> object:
    return await event.wait()


async def _run_window(window: Window) -> object:
    await window.run()
    return None
