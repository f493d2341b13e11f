"""The clocks of a call, and how far apart the two sides' clocks are."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from shared.messages import CLOCK_LIMIT_MS, Ping

# The sample with the shortest round trip is the least delayed by queues; older ones are
# forgotten so that the estimate follows the drift of the two clocks.
WINDOW = 8
ROUNDING_MS = 0.001


def monotonic_ms() -> float:
    """Return this machine's monotonic clock, milliseconds."""
    return time.monotonic_ns() / 1e6


class CallClock:
    """Milliseconds since the call's start: the clock of a sender's capture times."""

    def __init__(self) -> None:
        self.start_ms = monotonic_ms()

    def now_ms(self) -> float:
        """Return the milliseconds since this clock was made."""
        return monotonic_ms() - self.start_ms


@dataclass(frozen=True, slots=True)
class ClockSample:
    """One measurement: round trip, and what to add to this side's clock to get the other's."""

    rtt_ms: float
    offset_ms: float


class ClockEstimate:
    """Round trip and clock offset from the stamps in pings (as NTP does, RFC 5905, section 8)."""

    def __init__(self) -> None:
        self._samples: deque[ClockSample] = deque(maxlen=WINDOW)
        self._peer_ms: float | None = None
        self._heard_ms = 0.0

    @property
    def rtt_ms(self) -> float | None:
        """The newest round trip, milliseconds; None before the first."""
        return self._samples[-1].rtt_ms if self._samples else None

    @property
    def offset_ms(self) -> float | None:
        """What to add to this side's clock to get the other side's; None before the first."""
        if not self._samples:
            return None
        return min(self._samples, key=lambda sample: sample.rtt_ms).offset_ms

    def heard(self, ping: Ping, now_ms: float) -> None:
        """Take in a ping that arrived at ``now_ms`` on this side's clock."""
        self._peer_ms, self._heard_ms = ping.ms, now_ms
        if ping.echo_ms < 0:
            return
        rtt_ms = now_ms - ping.echo_ms - ping.held_ms
        # A peer can claim any stamp; one from the future measures nothing. Rounding may take a
        # round trip of nothing just below zero.
        if -ROUNDING_MS <= rtt_ms < CLOCK_LIMIT_MS and ping.echo_ms <= now_ms:
            there_ms = ping.ms - ping.held_ms - ping.echo_ms
            back_ms = ping.ms - now_ms
            self._samples.append(ClockSample(max(0.0, rtt_ms), (there_ms + back_ms) / 2))

    def ping(self, now_ms: float, *, sent: int, lost: int) -> Ping:
        """Return the ping to send at ``now_ms``, echoing the newest one heard."""
        if self._peer_ms is None:
            return Ping(now_ms, -1.0, 0.0, sent, lost)
        return Ping(now_ms, self._peer_ms, max(0.0, now_ms - self._heard_ms), sent, lost)
