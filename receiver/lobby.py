"""The HTTP side of a receiver with several rooms: a list of them, and each under its number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from receiver.door import Door, refused
from receiver.gate import Gate
from receiver.room import Room
from receiver.web import add_page, create_app

_PAGE = {
    "/": ("rooms.html", "text/html; charset=utf-8"),
    "/rooms.js": ("rooms.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_SHOWN = ("state", "fps", "watchers", "preset", "engine")


def create_lobby(rooms: Sequence[Room], door: Door) -> FastAPI:
    """Return the web application of several rooms.

    Args:
        rooms: each is served under its path, as a receiver's only room is under ``/``.
        door: knows who may see the list.
    """
    app = FastAPI(title="HeadCall receiver", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Gate, door=door)
    add_page(app, _PAGE)

    @app.get("/rooms")
    async def states() -> Response:
        return JSONResponse([_state(room) for room in rooms])

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.post("/whip")
    @app.post("/whep")
    async def which() -> Response:
        first, last = rooms[0].path, rooms[-1].path
        return refused(409, f"this receiver has several rooms: add one of {first} to {last}")

    for room in rooms:
        app.get(room.path)(_into(room))
        app.mount(room.path, create_app(room.station, room.door))
    return app


def _state(room: Room) -> dict[str, object]:
    stats = room.station.stats()
    return {"room": room.number, **{name: stats[name] for name in _SHOWN}}


def _into(room: Room) -> Callable[[], Awaitable[Response]]:
    # The page asks for everything beside itself, so its address ends in a slash. The way there is
    # relative: a proxy may have put a path of its own, or another scheme, before ours.
    async def enter() -> Response:
        return Response(status_code=307, headers={"Location": f"{room.number}/"})

    return enter
