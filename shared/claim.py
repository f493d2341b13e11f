"""Which call an offer belongs to: two optional HTTP headers beside WHIP's own.

A caller tries several connections, at the start and when the network has cut the one it had. The
receiver must know them for one caller's, and must not let a stranger take a call over.

* ``HeadCall-Join``: an id the caller draws for the call. Offers with the same id are tries of one
  call, until one of them carries it.
* ``HeadCall-Resume``: from then on, an HMAC of the offer under the token that the receiver sent in
  its welcome, inside DTLS. The token itself never crosses HTTP, and who overhears an HMAC cannot
  use it for an offer of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from shared.messages import RESUME_TOKEN_SIZE
from shared.sdp import SignallingError

JOIN_HEADER = "HeadCall-Join"
RESUME_HEADER = "HeadCall-Resume"

_JOIN_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PROOF = re.compile(r"[0-9a-f]{64}")


def new_join_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_urlsafe(16)


def new_resume_token() -> bytes:
    """Return a token that nobody can guess."""
    return secrets.token_bytes(RESUME_TOKEN_SIZE)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caller says about an offer.

    Attributes:
        join_id: the call's id; empty for a caller that makes one try only.
        proof: HMAC of the offer; empty before there is a token.
    """

    join_id: str = ""
    proof: str = ""

    @classmethod
    def of(cls, join_id: str, token: bytes | None, offer: str) -> Claim:
        """Return the claim of an offer, signed where there is a token."""
        return cls(join_id, _sign(token, offer) if token is not None else "")

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Claim:
        """Return what a request says.

        Raises:
            SignallingError: a header is malformed.
        """
        claim = cls(headers.get(JOIN_HEADER, ""), headers.get(RESUME_HEADER, ""))
        if claim.join_id and not _JOIN_ID.fullmatch(claim.join_id):
            raise SignallingError(f"{JOIN_HEADER} must be 16 to 64 letters, digits, - or _")
        if claim.proof and not _PROOF.fullmatch(claim.proof):
            raise SignallingError(f"{RESUME_HEADER} must be 64 hexadecimal digits")
        return claim

    def headers(self) -> dict[str, str]:
        """Return the headers that make it."""
        pairs = {JOIN_HEADER: self.join_id, RESUME_HEADER: self.proof}
        return {name: value for name, value in pairs.items() if value}

    def is_same_try(self, other: Claim) -> bool:
        """Return whether both name the same call by its id."""
        return bool(self.join_id) and hmac.compare_digest(self.join_id, other.join_id)

    def is_proven(self, token: bytes, offer: str) -> bool:
        """Return whether the offer was signed with this token."""
        return bool(self.proof) and hmac.compare_digest(self.proof, _sign(token, offer))


def _sign(token: bytes, offer: str) -> str:
    return hmac.new(token, offer.encode(), hashlib.sha256).hexdigest()
