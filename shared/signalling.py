"""The HTTP side of joining a call, as WHIP has it (RFC 9725): POST an offer, DELETE to leave."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

import httpx

from shared.claim import Claim
from shared.errors import BadInputError, HeadCallError, UnreachableError
from shared.sdp import SDP_LIMIT, SignallingError, check_description

__all__ = [
    "CallAddress",
    "Joined",
    "NoAnswerError",
    "NobodyError",
    "RefusedError",
    "SignallingError",
    "check_description",
    "join",
    "leave",
]

log = logging.getLogger(__name__)

SENTENCE_LIMIT = 500
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LEAVE_TIMEOUT_S = 2.0


class NoAnswerError(UnreachableError):
    """Nobody answered: the receiver is not there, or the network does not get there."""


class NobodyError(NoAnswerError):
    """No receiver is there at the moment: it is not running, or stands behind a proxy that is."""


class RefusedError(UnreachableError):
    """The receiver answered, and will not take the call."""


@dataclass(frozen=True, slots=True)
class CallAddress:
    """Where a receiver listens.

    Attributes:
        base: its address without a slash at the end.
    """

    base: httpx.URL

    @classmethod
    def parse(cls, text: str) -> CallAddress:
        """Return the address a user typed.

        Raises:
            BadInputError: it is not an http or https address.
        """
        example = "give one like http://localhost:8080"
        try:
            url = httpx.URL(text.strip())
        except (httpx.InvalidURL, ValueError) as error:
            raise BadInputError(f"{text!r} is not an address; {example}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise BadInputError(f"{text!r} is not an http or https address; {example}")
        if url.userinfo or url.query or url.fragment:
            raise BadInputError(f"{text!r} has more than a host, a port and a path; {example}")
        return cls(url.copy_with(path=url.path.rstrip("/") or "/"))

    @property
    def whip(self) -> httpx.URL:
        """Where offers are posted."""
        return self.base.copy_with(path=self.base.path.rstrip("/") + "/whip")

    def __str__(self) -> str:
        return str(self.base).rstrip("/")


@dataclass(frozen=True, slots=True)
class Joined:
    """A receiver's answer.

    Attributes:
        answer: its session description.
        location: the resource to DELETE when leaving; None when it named none.
    """

    answer: str
    location: httpx.URL | None


async def join(
    address: CallAddress, offer: str, timeout_s: float, claim: Claim | None = None
) -> Joined:
    """Post an offer.

    Args:
        address: where the receiver listens.
        offer: the sender's session description.
        timeout_s: seconds to wait for the answer.
        claim: which call the offer belongs to.

    Raises:
        NoAnswerError: nobody answered, or not in time; NobodyError: nobody is there.
        RefusedError: the receiver is in a call already, or will not take this one.
        UnreachableError: what answered is no receiver.
    """
    headers = {"content-type": "application/sdp", "accept": "application/sdp"}
    headers |= claim.headers() if claim is not None else {}
    try:
        async with (
            _client(address, timeout_s) as client,
            client.stream("POST", address.whip, content=offer, headers=headers) as response,
        ):
            body = await _capped_body(response)
    except httpx.TimeoutException as error:
        raise NoAnswerError(f"{address} did not answer within {timeout_s:g} s") from error
    except httpx.ConnectError as error:
        raise NobodyError(f"nobody listens at {address}; start `receiver` there first") from error
    except httpx.HTTPError as error:
        raise NobodyError(f"{address} broke off the conversation ({error})") from error
    if response.status_code != httpx.codes.CREATED:
        kind = NobodyError if response.is_server_error else RefusedError
        raise kind(_refusal(address, response, body))
    return _joined(address, response, body)


async def leave(address: CallAddress, location: httpx.URL) -> None:
    """Delete a call's resource; the call is over anyway, so failing only leaves a log line."""
    try:
        async with _client(address, LEAVE_TIMEOUT_S) as client:
            await client.delete(location)
    except httpx.HTTPError as error:
        log.debug("leaving %s failed: %r", location, error)


def _client(address: CallAddress, timeout_s: float) -> httpx.AsyncClient:
    # A proxy from the environment cannot reach this machine's own loopback.
    local = address.base.host in LOOPBACK
    return httpx.AsyncClient(timeout=timeout_s, trust_env=not local, follow_redirects=False)


async def _capped_body(response: httpx.Response) -> str:
    parts, size = [], 0
    async for part in response.aiter_bytes(4096):
        size += len(part)
        if size > SDP_LIMIT:
            raise UnreachableError("the answer is too long to be a receiver's")
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")


def _joined(address: CallAddress, response: httpx.Response, body: str) -> Joined:
    try:
        check_description(body)
    except HeadCallError as error:
        raise UnreachableError(f"{address} is no HeadCall receiver: {error}") from error
    location = response.headers.get("location")
    if location is None:
        return Joined(body, None)
    try:
        target = address.whip.join(location)
    except (httpx.InvalidURL, ValueError):
        return Joined(body, None)
    # Nobody but the receiver may be sent our DELETE.
    same = (target.scheme, target.host, target.port) == (
        address.whip.scheme,
        address.whip.host,
        address.whip.port,
    )
    return Joined(body, target if same else None)


def _refusal(address: CallAddress, response: httpx.Response, body: str) -> str:
    sentence = _sentence(body)
    if response.status_code in (httpx.codes.CONFLICT, httpx.codes.GONE) and sentence:
        return f"{address} refused the call: {sentence}"
    if response.status_code == httpx.codes.NOT_FOUND:
        return f"{address} is no HeadCall receiver: it has no /whip"
    detail = f": {sentence}" if sentence else ""
    return f"{address} refused the call with HTTP status {response.status_code}{detail}"


def _sentence(body: str) -> str:
    """Return what a refusal says, from plain text or from FastAPI's ``detail``."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        value = body
    if isinstance(value, dict):
        value = value.get("detail", "")
    text = value if isinstance(value, str) else ""
    # It goes to a terminal: no control characters, no pages of HTML.
    if "<" in text:
        return ""
    return re.sub(r"[^\S ]+|[\x00-\x1f\x7f-\x9f]", " ", text)[:SENTENCE_LIMIT].strip()
