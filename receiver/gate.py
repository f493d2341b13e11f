"""What every request passes first, before anything of it is parsed."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from receiver.door import Door
from receiver.guard import HEADERS
from receiver.tokens import Ticket


class Gate:
    """An ASGI middleware: asks the door, and puts protective headers on every answer."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Stand before an application.

        Args:
            app: gets what passes; a caller's ticket is in ``scope["state"]``.
            door: knows who may come in.
        """
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def protect(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        client = (scope.get("client") or [""])[0]
        path = scope["path"].removeprefix(scope.get("root_path", ""))  # within the room
        verdict = self._door.judge(scope["method"], path, Headers(scope=scope), client)
        if isinstance(verdict, Ticket):
            scope.setdefault("state", {})["ticket"] = verdict
        app = verdict if isinstance(verdict, PlainTextResponse) else self._app
        await app(scope, receive, protect)
