"""What the tests of the wire and the two ends share: face tracks, bad networks, a handler."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

from shared.call_receiver import CallReceiver
from shared.claim import Claim
from shared.detail import IRIS_SIZE, MOUTH_SIZE, SWAY_SIZE, Detail
from shared.errors import BadInputError
from shared.link_config import LinkSettings
from shared.params import EXPRESSION_SIZE, PARAMS_SIZE, Floats, Frame, Params
from shared.sdp import SignallingError
from shared.voice_inbox import VoicePacket

FACE_MODEL = "0123456789abcdef"


def track(count: int, seed: int = 1, motion: float = 1.0) -> list[Params]:
    """Return a smooth random track of a face: slow sways plus a tracker's jitter."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(count)[:, None] / 25
    # Middle values and spreads as of a talking head in its crop.
    spread = np.r_[np.ones(EXPRESSION_SIZE), 0.05, 0.1, 0.1, 0.05, 0.03, 0.03, 0.0001]
    centre = np.r_[np.zeros(EXPRESSION_SIZE), -1.5, 0, 0, 0, 0.5, 0.55, 0]
    motions = sum(
        np.sin(2 * np.pi * (rng.uniform(0.05, 1.2, PARAMS_SIZE) * time_s + rng.random(PARAMS_SIZE)))
        for _ in range(3)
    )
    jitter = rng.normal(0, 0.02, (count, PARAMS_SIZE))
    return [Params.from_vector(row) for row in centre + spread * (motion * motions / 2 + jitter)]


def frames(count: int, seed: int = 1) -> list[Frame]:
    """Return a track as frames, 40 ms apart."""
    parts = sways(count, seed), mouths(count, seed), irises(count, seed)
    seen = zip(track(count, seed), *parts, strict=True)
    return [Frame(i, i * 40, params, Detail(*detail)) for i, (params, *detail) in enumerate(seen)]


def sways(count: int, seed: int = 1) -> Floats:
    """Return slow motion of hair and shoulders, shape (count, 32)."""
    return np.float32(0.02) * _waves(count, SWAY_SIZE, 0.5, seed)


def mouths(count: int, seed: int = 1) -> Floats:
    """Return mouths that show something else in every syllable, shape (count, 6)."""
    return _waves(count, MOUTH_SIZE, 3.0, seed + 1000)


def irises(count: int, seed: int = 1) -> Floats:
    """Return eyes of one colour, in light that changes slowly, shape (count, 2)."""
    return _waves(count, IRIS_SIZE, 0.1, seed + 2000)


def _waves(count: int, size: int, fastest_hz: float, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    time_s = np.arange(count)[:, None] / 25
    turns = rng.uniform(0.05, fastest_hz, size) * time_s + rng.random(size)
    return np.sin(2 * np.pi * turns).astype(np.float32)


@dataclass
class BadNetwork:
    """Loses, repeats and reorders packets the same way for the same seed."""

    seed: int
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: int = 0

    def carry(self, packets: list[bytes]) -> list[bytes]:
        """Return what arrives, in the order it arrives in."""
        rng = np.random.default_rng(self.seed)
        arriving = []
        for index, packet in enumerate(packets):
            if rng.random() < self.loss:
                continue
            copies = 2 if rng.random() < self.duplicate else 1
            arriving += [(index + rng.uniform(0, self.reorder), packet) for _ in range(copies)]
        return [packet for _, packet in sorted(arriving, key=lambda item: item[0])]


@dataclass
class Recorder:
    """A CallHandler that keeps what it is given."""

    wants_reference: bool = True
    face_model: str = FACE_MODEL
    refusal: str = ""
    wanted_frames: int = 1
    references: list[tuple[bytes, str]] = field(default_factory=list)
    origins: list[Params] = field(default_factory=list)
    frames: list[tuple[Frame, float]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    calibrated: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    voice: list[VoicePacket] = field(default_factory=list)
    wanted_voice: int = 1
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_reference(self, data: bytes, mime: str) -> None:
        if self.refusal:
            raise BadInputError(self.refusal)
        self.references.append((data, mime))

    async def on_calibration(self, origin: Params) -> None:
        self.origins.append(origin)
        self.calibrated.set()

    def on_frame(self, frame: Frame, received_ms: float) -> None:
        self.frames.append((frame, received_ms))
        if len(self.frames) >= self.wanted_frames:
            self.enough.set()

    def on_voice(self, packet: VoicePacket) -> None:
        self.voice.append(packet)
        if len(self.voice) >= self.wanted_voice:
            self.heard.set()

    def on_closed(self, reason: str) -> None:
        self.reasons.append(reason)


@dataclass
class TestReceiver:
    """A receiver's HTTP side and nothing else."""

    __test__ = False

    url: str
    handler: Recorder
    calls: list[CallReceiver] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    busy: str = ""


@contextlib.asynccontextmanager
async def receiving(
    handler: Recorder | None = None, settings: LinkSettings | None = None
) -> AsyncIterator[TestReceiver]:
    """Serve /whip on a free port."""
    receiver = TestReceiver("", handler or Recorder())
    app = FastAPI()

    def created(answer: str) -> Response:
        return Response(answer, 201, {"location": "/whip/1"}, "application/sdp")

    @app.post("/whip")
    async def join(request: Request) -> Response:
        if receiver.busy:
            return Response(receiver.busy, 409, media_type="text/plain")
        offer = (await request.body()).decode()
        try:
            claim = Claim.from_headers(request.headers)
            for call in receiver.calls:
                if call.owns(claim, offer):
                    return created(await call.take(offer, claim))
            call = CallReceiver(receiver.handler, settings)
            receiver.calls.append(call)
            answer = await call.take(offer, claim)
        except SignallingError as error:
            return Response(str(error), error.status, media_type="text/plain")
        return created(answer)

    @app.delete("/whip/1")
    async def leave() -> Response:
        receiver.deleted.append("1")
        return Response()

    async with serving(app) as url:
        receiver.url = url
        try:
            yield receiver
        finally:
            for call in receiver.calls:
                await call.close("the test is over")


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI app on a free port of this machine; yields its address."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    ready = asyncio.Event()
    startup = server.startup

    async def announced(sockets: Any = None) -> None:
        await startup(sockets)
        ready.set()

    server.startup = announced  # type: ignore[method-assign]
    # The test's own loop keeps its signal handlers.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve())
    await ready.wait()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


def write_clip(path: Path, count: int, fps: int = 25, size: tuple[int, int] = (64, 48)) -> Path:
    """Write a video whose frame i has the grey value 4 * i."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(count):
            image = np.full((size[1], size[0], 3), min(4 * index, 255), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
