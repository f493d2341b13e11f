"""What a link does to packets: delays, losses, a bottleneck, cuts.

Pure logic: every method is told the time, and chance comes from a seed, so the same packets at the
same times always meet the same fate. `benchmarks.relay` carries real packets by these decisions.
Sizes are bytes of IP packets, header included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

# From and to, seconds after the call began.
Spell = tuple[float, float]


class Drop(StrEnum):
    """Why a packet never came out."""

    CUT = "cut"
    QUEUE = "queue"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Way:
    """How one direction of a link behaves.

    Attributes:
        delay_ms: what every packet takes.
        jitter_ms: each takes up to this much more or less, uniformly; never less than nothing.
        keeps_order: a packet waits for those before it. Without it, jitter reorders.
        loss: share of the packets that are lost.
        burst: mean number of packets lost in a row, as a Gilbert-Elliott chain gives; at 1 each
            is lost by itself.
        lossy: when the losses happen; empty for always.
        rate_kbps: what the bottleneck carries; None for no bottleneck.
        queue_ms: a packet that would wait longer before the bottleneck is lost.
        cuts: when nothing passes: what enters or would come out then is lost.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    keeps_order: bool = False
    loss: float = 0.0
    burst: float = 1.0
    lossy: tuple[Spell, ...] = ()
    rate_kbps: float | None = None
    queue_ms: float = 1000.0
    cuts: tuple[Spell, ...] = ()


class Losses:
    """Says which packets are lost: each by itself, or in bursts."""

    def __init__(self, share: float, burst: float, random: Random) -> None:
        """Start in the good state.

        Args:
            share: of all packets, in the long run, below 1.
            burst: mean number in a row; 1 for independent losses.
            random: the chance.
        """
        self._share = share
        self._independent = burst <= 1.0
        # Gilbert-Elliott with everything lost in the bad state and nothing in the good one: the
        # mean stay in the bad one is 1 / leave, and the share of bad is enter / (enter + leave).
        self._leave = 1.0 / max(burst, 1.0)
        self._enter = min(1.0, share * self._leave / (1.0 - share))
        self._bad = False
        self._random = random

    def next(self) -> bool:
        """Return whether the next packet is lost."""
        draw = self._random.random()
        if self._independent:
            return draw < self._share
        self._bad = draw >= self._leave if self._bad else draw < self._enter
        return self._bad


class Bottleneck:
    """Passes packets at a rate, one after the other, with a queue that is bounded in time."""

    def __init__(self, rate_kbps: float, queue_ms: float) -> None:
        self._rate_kbps = rate_kbps
        self._queue_ms = queue_ms
        self._free_ms = -math.inf

    def leaves_ms(self, size: int, now_ms: float) -> float | None:
        """Return when a packet has passed; None when the queue is full and it is lost."""
        start_ms = max(now_ms, self._free_ms)
        if start_ms - now_ms > self._queue_ms:
            return None
        self._free_ms = start_ms + size * 8 / self._rate_kbps
        return self._free_ms


class Lane:
    """One direction of a link at work.

    A packet passes, in this order: the cut, the bottleneck, the losses, the delay.
    """

    def __init__(self, way: Way, seed: str) -> None:
        """Open the lane; its clock runs, but what is timed by the call waits for `begin`."""
        self._way = way
        # One chance for each part, so that what one draws does not change the other's.
        self._losses = Losses(way.loss, way.burst, Random(f"{seed} loss"))
        self._jitter = Random(f"{seed} jitter")
        self._bottleneck = Bottleneck(way.rate_kbps, way.queue_ms) if way.rate_kbps else None
        self._begin_ms: float | None = None
        self._newest_ms = -math.inf

    def begin(self, now_ms: float) -> None:
        """Say that the call begins now: cuts and lossy spells count from here."""
        self._begin_ms = now_ms

    def send(self, size: int, now_ms: float) -> float | Drop:
        """Return when a packet that enters now comes out, or why it never does."""
        if self._within(self._way.cuts, now_ms):
            return Drop.CUT
        left_ms = self._bottleneck.leaves_ms(size, now_ms) if self._bottleneck else now_ms
        if left_ms is None:
            return Drop.QUEUE
        lossy = not self._way.lossy or self._within(self._way.lossy, now_ms)
        if lossy and self._losses.next():
            return Drop.LOSS
        out_ms = left_ms + self._delay_ms()
        if self._way.keeps_order:
            out_ms = max(out_ms, self._newest_ms)
        if self._within(self._way.cuts, out_ms):
            return Drop.CUT
        self._newest_ms = max(self._newest_ms, out_ms)
        return out_ms

    def _delay_ms(self) -> float:
        spread = self._way.jitter_ms
        return max(0.0, self._way.delay_ms + self._jitter.uniform(-spread, spread))

    def _within(self, spells: Sequence[Spell], now_ms: float) -> bool:
        if self._begin_ms is None:
            return False
        at_s = (now_ms - self._begin_ms) / 1000
        return any(start <= at_s < end for start, end in spells)
