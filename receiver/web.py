"""The HTTP side: WHIP for the caller, WHEP and a page for who watches, figures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import ClientDisconnect

from receiver.door import MAX_BODY, SDP, Door, check_offer, refused
from receiver.gate import Gate
from receiver.station import Station
from receiver.tokens import Tokens
from shared.claim import Claim
from shared.sdp import SignallingError

_BODY_S = 10.0
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

Join = Callable[[str], Awaitable[tuple[str, str]]]


class _RefusedError(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.response = refused(status, sentence)


def create_app(station: Station, door: Door) -> FastAPI:
    """Return the web application of one station.

    Args:
        station: takes calls and watchers.
        door: knows who may come in.
    """
    app = FastAPI(title="HeadCall receiver", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Gate, door=door)
    if door.tokens is not None:
        station.on_over = door.tokens.over

    @app.exception_handler(_RefusedError)
    async def refuse(_: Request, refused: _RefusedError) -> Response:
        return refused.response

    add_page(app, _PAGE)
    _add_figures(app, station)
    _add_calls(app, station, door.tokens)
    return app


def add_page(app: FastAPI, page: Mapping[str, tuple[str, str]]) -> None:
    """Serve the files of a page.

    Args:
        app: serves them.
        page: name in ``receiver/page`` and media type, by path.
    """
    folder = files("receiver") / "page"
    for path, (name, media_type) in page.items():
        app.get(path)(_file_route((folder / name).read_bytes(), media_type))


def _file_route(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(content, media_type=media_type)

    return serve


def _add_figures(app: FastAPI, station: Station) -> None:
    @app.get("/stats")
    async def stats() -> Response:
        return JSONResponse(station.stats())

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(station.metrics_text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/reference.jpg")
    async def reference() -> Response:
        if (jpeg := station.portrait.jpeg) is None:
            return PlainTextResponse("there is no reference photograph yet\n", 404)
        return Response(jpeg, media_type="image/jpeg")


def _add_calls(app: FastAPI, station: Station, tokens: Tokens | None) -> None:
    @app.post("/whip")
    async def call(request: Request) -> Response:
        try:
            claim = Claim.from_headers(request.headers)
        except SignallingError as error:
            raise _RefusedError(error.status, str(error)) from error
        response = await _join(request, partial(station.take_call, claim=claim))
        if tokens is not None:
            tokens.used(request.state.ticket)
        return response

    @app.delete("/whip/{call_id}")
    async def hang_up(call_id: str) -> Response:
        return _gone(await station.hang_up(call_id, "the caller hung up"), "call")

    @app.post("/whep")
    async def watch(request: Request) -> Response:
        return await _join(request, station.watchers.join)

    @app.delete("/whep/{watcher_id}")
    async def leave(watcher_id: str) -> Response:
        return _gone(await station.watchers.leave(watcher_id), "watcher")


async def _join(request: Request, join: Join) -> Response:
    try:
        offer = await _read_offer(request)
        identifier, answer = await join(offer)
    except SignallingError as error:
        raise _RefusedError(error.status, str(error)) from error
    except TimeoutError as error:
        raise _RefusedError(503, "the receiver did not become ready; try again") from error
    location = f"{request.url.path.rstrip('/')}/{identifier}"
    return Response(answer, 201, {"Location": location}, media_type=SDP)


async def _read_offer(request: Request) -> str:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise _RefusedError(413, f"an offer has at most {MAX_BODY} bytes")
    except ClientDisconnect as error:
        raise _RefusedError(400, "the offer was cut short") from error
    except TimeoutError as error:
        raise _RefusedError(408, "the offer took too long to arrive") from error
    return check_offer(request.url.path, bytes(body))


def _gone(was_there: bool, what: str) -> Response:
    if was_there:
        return Response(status_code=200)
    return PlainTextResponse(f"there is no such {what}\n", 404)
