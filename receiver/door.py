"""Who may come in: hosts and origins, tokens, and what a join must look like from outside."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import PlainTextResponse

from receiver.guard import Guard
from receiver.offers import clean_offer
from receiver.tokens import Role, Ticket, TokenError, Tokens
from shared.sdp import SignallingError, check_description

SDP = "application/sdp"
MAX_BODY = 64 * 1024
_OFFERS = {"/whip": Role.CALL, "/whep": Role.WATCH}
# What shows the picture or tells of the call. The page itself is the same for everybody.
_WATCHING = ("/stats", "/reference.jpg", "/metrics", "/rooms")


class Door:
    """Judges requests by their heads, and offers by their text; takes nothing in.

    Attributes:
        tokens: the tokens that let in, or None where everybody may.
    """

    def __init__(self, guard: Guard, tokens: Tokens | None = None) -> None:
        self.tokens = tokens
        self._guard = guard

    def judge(
        self, method: str, path: str, headers: Mapping[str, str], client: str
    ) -> PlainTextResponse | Ticket | None:
        """Return a refusal, the ticket of who may pass, or None where no ticket is needed.

        Args:
            method: of the request.
            path: of the request, within the room where there are several.
            headers: by lower-case name.
            client: the other side's address.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        if complaint := self._guard.complaint(method, host, origin):
            return refused(403, complaint)
        role = _role(method, path)
        # A program on this machine may collect the figures.
        if role is None or (path == "/metrics" and client in ("127.0.0.1", "::1")):
            return None
        ticket = None
        try:
            if self.tokens is not None:
                ticket = self.tokens.check(role, headers.get("authorization"))
        except TokenError as error:
            return refused(401, str(error), {"WWW-Authenticate": "Bearer"})
        return (_odd_offer(headers) if method == "POST" else None) or ticket


def check_offer(path: str, body: bytes) -> str:
    """Return the text of an offer that can be answered.

    Args:
        path: where it was posted.
        body: the whole of it.

    Raises:
        SignallingError: the sentence says what is wrong with it.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SignallingError("the body is not a WebRTC offer") from error
    if path.rstrip("/").endswith("/whep"):
        return clean_offer(text)
    check_description(text)
    return text


def refused(status: int, sentence: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    """Return a refusal: a status and a sentence."""
    return PlainTextResponse(sentence + "\n", status, headers)


def _odd_offer(headers: Mapping[str, str]) -> PlainTextResponse | None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
        return refused(415, f"the body must be an SDP offer of the type {SDP}")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
        return refused(413, f"an offer has at most {MAX_BODY} bytes")
    return None


def _role(method: str, path: str) -> Role | None:
    if method == "POST":
        return _OFFERS.get(path)
    return Role.WATCH if path in _WATCHING else None
