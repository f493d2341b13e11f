"""Offers to watch, from strangers, checked before aiortc sees them."""

from __future__ import annotations

from shared.sdp import SignallingError, split_lines

_MAX_CANDIDATES = 32
# aiortc accepts an offer without these and fails, or waits, in the background.
_NEEDED = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:actpass")


def clean_offer(sdp: str) -> str:
    """Return the offer without what it must not make this process do.

    aiortc opens sockets for every media section and sends checks to every candidate; both counts
    are capped. Candidates under ``.local`` names are left out: looking each up takes a second
    where multicast does not work, and the browser that hides behind one reaches us anyway.

    Args:
        sdp: the offer; it has a video, and may have sound after it.

    Raises:
        SignallingError: the sentence says why.
    """
    lines = split_lines(sdp)
    if lines[0] != "v=0":
        raise SignallingError("the body is not a WebRTC offer")
    sections = [line.split()[0] for line in lines if line.startswith("m=")]
    if sections not in (["m=video"], ["m=video", "m=audio"]):
        raise SignallingError("an offer to watch has a video section, and at most a sound after it")
    for attribute in _NEEDED:
        if not any(line.startswith(attribute) for line in lines):
            raise SignallingError(f"the offer lacks {attribute}")
    kept = [line for line in lines if not _is_hidden(line)]
    if sum(line.startswith("a=candidate:") for line in kept) > _MAX_CANDIDATES:
        raise SignallingError(f"the offer has more than {_MAX_CANDIDATES} candidates")
    return "\r\n".join(kept) + "\r\n"


def _is_hidden(line: str) -> bool:
    return line.startswith("a=candidate:") and ".local" in line
