"""The networks that calls are measured on, each by its name.

A profile has what its name says and nothing else: no delay where none is named. Both directions
are alike, with chances of their own. Jitter is uniform and reorders packets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count, takewhile

from benchmarks.patterns import Spell, Way
from shared.errors import BadInputError

SPIKE_S = 10.0
# Around a cut the call must be seen to run, before it and after it.
CUT_MARGIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Profile:
    """A link: its name, what it is like, and how its two directions behave."""

    name: str
    about: str
    up: Way
    down: Way


_WAYS = {
    "clean": ("nothing is lost or delayed", Way()),
    "moderate": ("100±25 ms, 5 % lost", Way(delay_ms=100, jitter_ms=25, loss=0.05)),
    "international": (
        "250±100 ms, 5 % lost in bursts of 4, 300 kbps",
        Way(delay_ms=250, jitter_ms=100, loss=0.05, burst=4, rate_kbps=300),
    ),
    "spiky": ("every other 10 s, 30 % lost", Way(loss=0.3)),
    "loss10": ("10 % lost", Way(loss=0.1)),
    "loss20": ("20 % lost", Way(loss=0.2)),
    "loss30": ("30 % lost", Way(loss=0.3)),
    "thin50": ("50 kbps each way, a queue of 1 s", Way(rate_kbps=50)),
    "thin25": ("25 kbps each way, a queue of 1 s", Way(rate_kbps=25)),
    "cut5": ("5 s cut in the middle", Way()),
    "cut20": ("20 s cut in the middle", Way()),
}
_CUT_S = {"cut5": 5.0, "cut20": 20.0}

NAMES = tuple(_WAYS)


def profile(name: str, seconds: float) -> Profile:
    """Return a profile for a call of a length.

    Args:
        name: one of `NAMES`.
        seconds: how long the call is; a cut lies in its middle.

    Raises:
        BadInputError: there is no such profile, or the call is too short for its cut.
    """
    if name not in _WAYS:
        raise BadInputError(f"there is no profile {name}; take one of: {', '.join(NAMES)}, or all")
    about, way = _WAYS[name]
    if name == "spiky":
        spells = _every_other(SPIKE_S, seconds)
        way = replace(way, lossy=spells) if spells else Way()
    if (cut_s := _CUT_S.get(name)) is not None:
        if seconds < cut_s + 2 * CUT_MARGIN_S:
            least = cut_s + 2 * CUT_MARGIN_S
            raise BadInputError(f"{name} needs a call of {least:g} s or more: --seconds {least:g}")
        start_s = (seconds - cut_s) / 2
        way = replace(way, cuts=((start_s, start_s + cut_s),))
    return Profile(name, about, way, way)


def _every_other(spell_s: float, seconds: float) -> tuple[Spell, ...]:
    """Return the second, fourth… stretch of this length, as far as the call goes."""
    starts = takewhile(lambda start: start < seconds, ((2 * n + 1) * spell_s for n in count()))
    return tuple((start, start + spell_s) for start in starts)
