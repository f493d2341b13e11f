"""The HTTP side of joining a call, as WHIP has it (RFC 9725): POST an offer, DELETE to leave."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

import httpx

from shared.errors import BadInputError, HeadCallError, UnreachableError
from shared.sdp import SDP_LIMIT, SignallingError, check_description

__all__ = ["CallAddress", "Joined", "SignallingError", "check_description", "join", "leave"]

log = logging.getLogger(__name__)

SENTENCE_LIMIT = 500
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LEAVE_TIMEOUT_S = 2.0
ADDRESS_LIMIT = 2048


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
        if len(text) > ADDRESS_LIMIT:
            raise BadInputError(f"an address has at most {ADDRESS_LIMIT} characters; {example}")
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


async def join(address: CallAddress, offer: str, timeout_s: float) -> Joined:
    """Post an offer.

    Args:
        address: where the receiver listens.
        offer: the sender's session description.
        timeout_s: seconds to wait for the answer.

    Raises:
        UnreachableError: nobody answered, not in time, not as a receiver does, or the receiver
            is in a call already; the sentence says which.
    """
    headers = {"content-type": "application/sdp", "accept": "application/sdp"}
    try:
        async with (
            _client(address, timeout_s) as client,
            client.stream("POST", address.whip, content=offer, headers=headers) as response,
        ):
            body = await _capped_body(response)
    except httpx.TimeoutException as error:
        raise UnreachableError(f"{address} did not answer within {timeout_s:g} s") from error
    except httpx.ConnectError as error:
        raise UnreachableError(
            f"nobody listens at {address}; start `receiver` there first"
        ) from error
    except httpx.HTTPError as error:
        raise UnreachableError(f"{address} broke off the conversation ({error})") from error
    if response.status_code != httpx.codes.CREATED:
        raise UnreachableError(_refusal(address, response, body))
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
    if location is None or len(location) > ADDRESS_LIMIT:
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
    sentence = sentence_of(body)
    if response.status_code == httpx.codes.CONFLICT and sentence:
        return f"{address} refused the call: {sentence}"
    if response.status_code == httpx.codes.NOT_FOUND:
        return f"{address} is no HeadCall receiver: it has no /whip"
    detail = f": {sentence}" if sentence else ""
    return f"{address} refused the call with HTTP status {response.status_code}{detail}"


def sentence_of(body: str) -> str:
    """Return what a refusal says, from plain text or from FastAPI's ``detail``."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):  # brackets within brackets, ten thousand deep
        value = body
    if isinstance(value, dict):
        value = value.get("detail", "")
    text = value if isinstance(value, str) else ""
    # It goes to a terminal: no control characters, no pages of HTML.
    if "<" in text:
        return ""
    return re.sub(r"[^\S ]+|[\x00-\x1f\x7f-\x9f]", " ", text)[:SENTENCE_LIMIT].strip()
