"""What the receiver's tests share: frames, a stand-in generator, a station that really listens."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import PIL.Image

from receiver.bouncer import Bouncer
from receiver.door import Door
from receiver.guard import Guard
from receiver.portrait import FaceGenerator, Portrait
from receiver.server import Tls, WebServer, bind, url_of
from receiver.sinks import Sink
from receiver.station import Station, StationOptions
from receiver.tokens import Tokens
from receiver.web import create_app
from receiver.whep import Watchers
from shared.detail import Detail
from shared.errors import BadInputError
from shared.params import EXPRESSION_SIZE, Camera, Floats, Frame, Params
from shared.pictures import Image

FACE_MODEL = "0123456789abcdef"


def params(roll: float = 0.0) -> Params:
    camera = Camera(-0.5, np.array([0, 0, roll], np.float32), np.array([0.5, 0.5, 0], np.float32))
    return Params(np.zeros(EXPRESSION_SIZE, np.float32), camera)


def frame(sequence: int, captured_ms: int | None = None) -> Frame:
    captured = sequence * 40 if captured_ms is None else captured_ms
    return Frame(sequence, captured, params(roll=(sequence % 60) / 60))


class Sketch:
    """Draws a bar whose height is the head's roll; a black photograph has no face."""

    lanes = 1

    def __init__(self) -> None:
        self.references = 0
        self.generated = 0
        self.heard: list[Floats | None] = []

    @property
    def reference_params(self) -> Params:
        return params()

    @property
    def flaws(self) -> list[str]:
        return ["an eye is closed"] if self.references else []

    def set_reference(self, image: Image) -> Image:
        if image.max() == 0:
            raise BadInputError("no face was found in the photograph; choose another one")
        self.references += 1
        return np.full((256, 256, 3), image.mean(), np.uint8)

    def render(self, params: Params, detail: Detail) -> tuple[Floats, Floats]:
        return np.asarray(params.camera.rotation, np.float32), np.zeros(0, np.float32)

    def paint(self, faces: Floats, displacement: Floats, heard: Floats | None) -> Image:
        self.generated += 1
        self.heard.append(heard)
        picture = np.full((256, 256, 3), (40, 90, 160), np.uint8)
        picture[: int(255 * abs(faces[2])) + 1] = (250, 220, 60)
        return picture


def photograph(brightness: int = 120, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (320, 240), (brightness,) * 3).save(buffer, kind)
    return buffer.getvalue()


@contextlib.asynccontextmanager
async def serving(
    *,
    own_reference: bool = True,
    report: Path | None = None,
    sinks: tuple[Sink, ...] = (),
    watchers: int = 4,
    generator: FaceGenerator | None = None,
    face_model: str = FACE_MODEL,
    tokens: Tokens | None = None,
    tls: Tls | None = None,
) -> AsyncIterator[tuple[Station, str]]:
    """Run a station behind a real web server; yields it and its URL.

    Without a generator it has the stand-in.
    """
    portrait = Portrait(generator or Sketch())
    if own_reference:
        portrait.take(np.full((240, 320, 3), 120, np.uint8))
    options = StationOptions(own_reference, 20.0, face_model, report, "sketch", "test")
    station = Station(portrait, Watchers(watchers), options, sinks)
    listener = bind("127.0.0.1", 0)
    listener.listen()
    door = Door(Guard([]), tokens)
    server = WebServer(create_app(station, door), tls, Bouncer({"": door}))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        url = url_of(listener, "https" if tls else "http")
        yield station, url.replace("localhost", "127.0.0.1")
    finally:
        await station.close("the test is over")
        server.should_exit = True
        await task


def client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=20)
