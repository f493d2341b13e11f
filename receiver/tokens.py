"""The tokens in the links that a receiver prints: who may call it, and who may watch.

JSON Web Tokens (RFC 7519), signed with a secret that this process makes when it starts and
forgets when it ends, carried as ``Authorization: Bearer`` (RFC 9725, section 4.7).
"""

from __future__ import annotations

import enum
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from shared.errors import HeadCallError

_ALGORITHM = "HS256"
_ISSUER = "headcall"
# Ours have about 200 characters. A cap keeps a stranger's JSON from nesting deep.
TOKEN_LIMIT = 512
_FOREIGN = "this link is not one of this receiver's; ask for a new one"


class Role(enum.StrEnum):
    """What a token is good for."""

    CALL = "call"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A token that was let in: its id, and the second of its expiry."""

    identifier: str
    expiry_s: float


class TokenError(HeadCallError):
    """A token that lets nobody in; the message is for whoever used the link."""


class Tokens:
    """Makes and checks the tokens of one receiver; everything runs on the event loop.

    A token to call is good for one call: until it expires, for as many tries as it takes; while
    the call is on, for this call to be joined again; afterwards for nothing.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._secret = secrets.token_bytes(32)
        self._now_s = now_s
        self._in_use: Ticket | None = None
        self._spent: dict[str, float] = {}

    def issue(self, role: Role, lifetime_s: float) -> str:
        """Return a new token.

        Args:
            role: what it is good for.
            lifetime_s: seconds until it expires.
        """
        claims = {
            "iss": _ISSUER,
            "aud": role.value,
            "exp": int(self._now_s() + lifetime_s),
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def check(self, role: Role, authorization: str | None) -> Ticket:
        """Let in who has a token.

        Args:
            role: what they want to do.
            authorization: the header of this name, or None.

        Raises:
            TokenError: there is none, or it is expired, used, another receiver's or forged.
        """
        claims = self._claims(role, _bearer(authorization))
        ticket = Ticket(claims["jti"], claims["exp"])
        if ticket.identifier in self._spent:
            raise TokenError("this link was for a call that is over; ask for a new one")
        if self._now_s() >= ticket.expiry_s and ticket != self._in_use:
            raise TokenError("this link has expired; ask for a new one")
        return ticket

    def used(self, ticket: Ticket) -> None:
        """A call was answered that this token came with."""
        self._in_use = ticket

    def over(self, was_call: bool) -> None:
        """The call that is on has ended.

        Args:
            was_call: it came about; one that failed on the way may be tried again.
        """
        ticket, self._in_use = self._in_use, None
        now_s = self._now_s()
        # An expired one is refused for that.
        self._spent = {key: end for key, end in self._spent.items() if end > now_s}
        if ticket is not None and was_call:
            self._spent[ticket.identifier] = ticket.expiry_s

    def is_good(self, role: Role, token: str) -> bool:
        """Return whether one of our own tokens still lets somebody in."""
        try:
            self.check(role, f"Bearer {token}")
        except TokenError:
            return False
        return True

    def _claims(self, role: Role, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],  # "none" and every other are refused
                audience=role.value,
                issuer=_ISSUER,
                # Checked by this class, which knows of calls that are on.
                options={"require": ["exp", "jti"], "verify_exp": False},
            )
        except jwt.InvalidAudienceError as error:
            raise TokenError(f"this link is not one to {role.value} with") from error
        except jwt.InvalidTokenError as error:
            raise TokenError(
                "this link is not one of this receiver's; ask for a new one"
            ) from error
        return claims


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenError("this receiver wants its whole link, with the token at the end")
    if len(token) > TOKEN_LIMIT:
        raise TokenError(_FOREIGN)
    return token
