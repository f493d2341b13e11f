"""Checks on the session descriptions that strangers post, before aiortc acts on them."""

from __future__ import annotations

import re

from aiortc.sdp import SessionDescription

from shared.errors import HeadCallError

SDP_LIMIT = 32 * 1024
CANDIDATE_LIMIT = 64
LINE_LIMIT = 512
LINES_LIMIT = 512

_LINE = re.compile(r"[a-z]=[\t\x20-\x7e]*")


class SignallingError(HeadCallError):
    """An offer or answer that cannot be used.

    Attributes:
        status: the HTTP status that says so: 400, 409, 410, 413 or 415.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def check_description(text: str) -> None:
    """Refuse a session description that is not that of a HeadCall peer.

    Args:
        text: SDP (RFC 8866): a data channel transport with ICE and a fingerprint, and at most one
            sound beside it.

    Raises:
        SignallingError: with the reason and an HTTP status.
    """
    lines = split_lines(text)
    if lines[0] != "v=0" or sum(line.startswith("v=") for line in lines) != 1:
        raise SignallingError("this is not one session description: it must start with v=0")
    _check_media([line for line in lines if line.startswith("m=")])
    if sum(line.startswith("a=candidate:") for line in lines) > CANDIDATE_LIMIT:
        raise SignallingError(f"the session description has over {CANDIDATE_LIMIT} candidates")
    for attribute in ("ice-ufrag", "ice-pwd", "fingerprint"):
        if not any(line.startswith(f"a={attribute}:") for line in lines):
            raise SignallingError(f"the session description lacks a={attribute}")
    # aiortc documents no errors for what it cannot parse; several types occur.
    try:
        SessionDescription.parse(text)
    except Exception as error:
        raise SignallingError(f"the session description cannot be parsed: {error}"[:200]) from error


def split_lines(text: str) -> list[str]:
    """Return the lines of a session description, the same that aiortc will see.

    Python's ``splitlines``, which aiortc uses, ends lines at a dozen odd characters too: a check
    of other lines than those would miss what hides behind them.

    Raises:
        SignallingError: too long, too many lines, or one that is no line of SDP.
    """
    if len(text) > SDP_LIMIT:
        raise SignallingError(f"a session description has at most {SDP_LIMIT} characters", 413)
    if text.count("\n") > LINES_LIMIT:
        raise SignallingError(f"a session description has at most {LINES_LIMIT} lines")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not _LINE.fullmatch(line) or len(line) > LINE_LIMIT:
            raise SignallingError(f"line {number} of the session description is malformed")
    return lines


def without_extensions(text: str) -> str:
    """Return a session description without header extensions, 8 bytes in every packet of sound."""
    return "".join(line for line in text.splitlines(True) if not line.startswith("a=extmap:"))


def _check_media(media: list[str]) -> None:
    kinds = sorted(line.split(" ", 1)[0] for line in media)
    if kinds not in (["m=application"], ["m=application", "m=audio"]):
        raise SignallingError("a call needs one data channel section and at most one of sound")
    data = next(line for line in media if line.startswith("m=application"))
    if not data.endswith("webrtc-datachannel") or "DTLS/SCTP" not in data:
        raise SignallingError("the data channel section must be webrtc-datachannel over DTLS")
