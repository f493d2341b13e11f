"""Refuses bad joins from their raw bytes, before the web server spends a millisecond on each.

It only ever says no, and only to what arrived whole in one piece, as a flood's requests do. Who
is not clearly bad goes on to the real parser, which decides for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import PlainTextResponse

from receiver.door import Door, check_offer, refused
from receiver.guard import HEADERS
from shared.sdp import SignallingError

_START = re.compile(rb"POST (/\d+)?(/whip|/whep) HTTP/1\.1\r\n")
_MOST_HEADERS = 40


class Bouncer:
    """Stands before the web server's parser."""

    def __init__(self, doors: Mapping[str, Door]) -> None:
        """Stand before some doors.

        Args:
            doors: by the path of their room: ``/1``, ``/2``…, or nothing for the only one.
        """
        self._doors = doors

    def answer(self, data: bytes) -> bytes | None:
        """Return the bytes that refuse a request, or None when it is not clearly bad.

        Args:
            data: the first bytes of a connection.
        """
        if (start := _START.match(data)) is None:
            return None
        room, path = (part.decode("ascii") for part in start.groups(b""))
        if (door := self._doors.get(room)) is None:
            return None
        head, end, body = data.partition(b"\r\n\r\n")
        headers = _parse(head) if end else None
        if headers is None or headers.get("content-length") != str(len(body)):
            return None
        refusal = door.judge("POST", path, headers, "")
        if isinstance(refusal, PlainTextResponse):
            return _raw(refusal)
        try:
            check_offer(path, body)
        except SignallingError as error:
            return _raw(refused(error.status, str(error)))
        return None


def _parse(head: bytes) -> dict[str, str] | None:
    """Return the headers by lower-case name; None for what a real parser should look at."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = [line.partition(":") for line in lines[: _MOST_HEADERS + 1]]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    unique = len(headers) == len(lines)
    return headers if unique and "transfer-encoding" not in headers else None


def _raw(refusal: PlainTextResponse) -> bytes:
    fixed = {**HEADERS, **dict(refusal.headers), "connection": "close"}
    lines = [f"{name}: {value}" for name, value in fixed.items()]
    status = HTTPStatus(refusal.status_code)
    head = "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "", ""])
    return head.encode("latin-1") + bytes(refusal.body)
