"""The HTTP side of joining a call, as WHIP has it (RFC 9725): POST an offer, DELETE to leave."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.claim import Claim
from shared.clock import monotonic_ms
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
ADDRESS_LIMIT = 2048
RETRY_LIMIT_S = 5.0


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
        token: what the link brought to be let in with; never shown.
        ca_file: certificates that may have signed the receiver's, beside the usual ones.
    """

    base: httpx.URL
    token: str = field(default="", repr=False)
    ca_file: Path | None = None

    @classmethod
    def parse(cls, text: str, ca_file: Path | None = None) -> CallAddress:
        """Return the address a user typed, or the link that a receiver printed.

        The token stands behind the ``#``, which browsers send to nobody and servers never log.

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
        token = _token(url.fragment)
        if url.userinfo or url.query or token is None:
            raise BadInputError(f"{text!r} has more than a host, a port and a path; {example}")
        base = url.copy_with(path=url.path.rstrip("/") or "/", fragment=None)
        return cls(base, token, ca_file)

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
    deadline_s = monotonic_ms() / 1000 + timeout_s
    while True:
        response, body = await _post(address, offer, timeout_s, claim)
        wait_s = _retry_after(response)
        if wait_s is None or monotonic_ms() / 1000 + wait_s > deadline_s:
            break
        await asyncio.sleep(wait_s)
    if response.status_code != httpx.codes.CREATED:
        kind = NobodyError if response.is_server_error else RefusedError
        raise kind(_refusal(address, response, body))
    return _joined(address, response, body)


async def _post(
    address: CallAddress, offer: str, timeout_s: float, claim: Claim | None
) -> tuple[httpx.Response, str]:
    headers = {"content-type": "application/sdp", "accept": "application/sdp"}
    headers |= claim.headers() if claim is not None else {}
    try:
        async with (
            _client(address, timeout_s) as client,
            client.stream("POST", address.whip, content=offer, headers=headers) as response,
        ):
            return response, await _capped_body(response)
    except httpx.TimeoutException as error:
        raise NoAnswerError(f"{address} did not answer within {timeout_s:g} s") from error
    except httpx.ConnectError as error:
        raise NobodyError(_why_not(address, error)) from error
    except httpx.HTTPError as error:
        raise NobodyError(f"{address} broke off the conversation ({error})") from error


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
    headers = {"authorization": f"Bearer {address.token}"} if address.token else {}
    return httpx.AsyncClient(
        timeout=timeout_s,
        trust_env=not local,
        follow_redirects=False,
        headers=headers,
        verify=_trust(address),
    )


def _trust(address: CallAddress) -> ssl.SSLContext | bool:
    if address.ca_file is None or address.base.scheme != "https":
        return True
    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(address.ca_file)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{address.ca_file} holds no certificates; give a PEM file with --ca"
        ) from error
    return context


def _token(fragment: str) -> str | None:
    """Return the token in a link's fragment, "" where there is no fragment, None for another."""
    if not fragment:
        return ""
    name, _, token = fragment.partition("=")
    # The characters of a JSON Web Token: whatever else came would be a header of somebody's.
    return token if name == "token" and re.fullmatch(r"[\w.-]{1,1024}", token, re.ASCII) else None


def _why_not(address: CallAddress, error: httpx.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {address} is not trusted ({cause.verify_message}); where it "
                "comes from an authority of your own, name that one's file with --ca"
            )
        if isinstance(cause, ssl.SSLError):
            return f"{address} does not speak TLS ({cause.reason}); does its link begin with http?"
        cause = cause.__cause__ or cause.__context__
    return f"nobody listens at {address}; start `receiver` there first"


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds after which an overloaded receiver may be asked again (RFC 9725, 4.4)."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return None
    text = response.headers.get("retry-after", "")
    return min(float(text), RETRY_LIMIT_S) if text.isdecimal() and len(text) < 6 else None


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
    said = (httpx.codes.CONFLICT, httpx.codes.GONE, httpx.codes.UNAUTHORIZED)
    if response.status_code in said and sentence:
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
