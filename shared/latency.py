"""How long frames may wait for one another: the three settings of a call.

A message costs 85 bytes on the network before its first byte of payload, so frames that share one
are far cheaper. What that saves in bits it costs in milliseconds; the caller chooses.
"""

from __future__ import annotations

from enum import StrEnum


class Latency(StrEnum):
    """A caller's choice between delay and bits."""

    LOW = "low"
    NORMAL = "normal"
    ECONOMY = "economy"

    @property
    def frames(self) -> int:
        """How many frames share a packet at most."""
        return {Latency.LOW: 1, Latency.NORMAL: 3, Latency.ECONOMY: 7}[self]

    @property
    def wait_ms(self) -> float:
        """How long the first frame of a packet waits for the last at most."""
        return {Latency.LOW: 0.0, Latency.NORMAL: 80.0, Latency.ECONOMY: 250.0}[self]

    @property
    def key_packets(self) -> int:
        """Of how many packets one is a key at least; a lost key takes the others with it.

        At 25 frames a second a lost packet hurts for 160, 240 and 280 ms: hardly to be seen, since
        the playout guesses on for about as long (`receiver.motion`).
        """
        return {Latency.LOW: 4, Latency.NORMAL: 2, Latency.ECONOMY: 1}[self]

    @property
    def coarse(self) -> bool:
        """Whether the numbers are sent a third as finely."""
        return self is Latency.ECONOMY
