"""What every request passes first: bad ones are refused here, before anything is parsed."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from receiver.guard import HEADERS, Guard
from receiver.tokens import Role, Ticket, TokenError, Tokens

SDP = "application/sdp"
MAX_BODY = 64 * 1024
_OFFERS = {"/whip": Role.CALL, "/whep": Role.WATCH}
# What shows the picture or tells of the call. The page itself is the same for everybody.
_WATCHING = ("/stats", "/reference.jpg", "/metrics")


class Gate:
    """An ASGI middleware: hosts and origins, tokens, types and declared lengths.

    A stranger may send a thousand bad requests a second; each shall cost as little as it can.
    """

    def __init__(self, app: ASGIApp, guard: Guard, tokens: Tokens | None) -> None:
        """Stand before an application.

        Args:
            app: gets what passes; a caller's ticket is in ``scope["state"]``.
            guard: knows hosts and origins.
            tokens: checks tokens; None where none are needed.
        """
        self._app = app
        self._guard = guard
        self._tokens = tokens

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

        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, protect)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        method, path = scope["method"], scope["path"]
        host, origin = headers.get("host", ""), headers.get("origin")
        if complaint := self._guard.complaint(method, host, origin):
            return refused(403, complaint)
        if (role := _role(method, path)) is None or (path == "/metrics" and _is_own(scope)):
            return None
        try:
            ticket = self._ticket(role, headers.get("authorization"))
        except TokenError as error:
            return refused(401, str(error), {"WWW-Authenticate": "Bearer"})
        _state(scope)["ticket"] = ticket
        if method != "POST":
            return None
        if headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
            return refused(415, f"the body must be an SDP offer of the type {SDP}")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
            return refused(413, f"an offer has at most {MAX_BODY} bytes")
        return None

    def _ticket(self, role: Role, authorization: str | None) -> Ticket | None:
        return None if self._tokens is None else self._tokens.check(role, authorization)


def refused(status: int, sentence: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    """Return a refusal: a status and a sentence."""
    return PlainTextResponse(sentence + "\n", status, headers)


def _role(method: str, path: str) -> Role | None:
    if method == "POST":
        return _OFFERS.get(path)
    return Role.WATCH if path in _WATCHING else None


def _is_own(scope: Scope) -> bool:
    """Return whether a program on this machine asks, such as the one that collects figures."""
    client = scope.get("client")
    return client is not None and client[0] in ("127.0.0.1", "::1")


def _state(scope: Scope) -> MutableMapping[str, Any]:
    state: MutableMapping[str, Any] = scope.setdefault("state", {})
    return state
