"""The sound of one call: when it was spoken, what the network hears of it, when it is played.

The stamps of sound count samples from an unknown moment. They are put on the call clock, that of
the frames' capture times, by arrival: the least delayed packet of the last ten seconds was sent
when its last sample had been recorded, and took half of the call's round trip. The call clock of
this side comes from the pings (`shared.clock`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import cast

import av
import numpy as np

from receiver.jitter import SmallestDelay
from shared.link_stats import LinkStats
from shared.sound_features import SPAN, sound_features
from shared.voice import (
    HEARD_RATE,
    LOOKAHEAD_MS,
    PACKET_MS,
    RATE,
    TIME_BASE,
    Floats,
    OpusPacket,
    VoiceDecoder,
)
from shared.voice_inbox import VoicePacket

log = logging.getLogger(__name__)

KEPT_SAMPLES = 2 * HEARD_RATE  # frames are shown less than half a second after they come
LEAP_SAMPLES = 60 * RATE  # a stamp this far off is of another time line
WAITING = 16  # packets that wait for their time, at most
LONGEST_WAIT_S = 0.5
HEARD_A_MS = HEARD_RATE // 1000
DOWN = RATE // HEARD_RATE


class Hearing:
    """Takes the packets on the event loop; `features` may be asked on any thread.

    Attributes:
        packets: how many could be used so far.
    """

    def __init__(
        self, play: Callable[[OpusPacket, float], None], due_ms: Callable[[float], float]
    ) -> None:
        """Begin a call, without a sound so far.

        Args:
            play: takes each packet when it is due, and when its sound begins on the call clock, ms.
            due_ms: says when a moment of the call clock is shown, on this machine's clock.
        """
        self.packets = 0
        self._play, self._due_ms = play, due_ms
        self._lock = threading.Lock()
        self._waiting: list[asyncio.TimerHandle] = []
        self._decoder = VoiceDecoder()
        self._source: int | None = None
        self._begin_ms: float | None = None  # where stamp 0 lies on the call clock
        self._samples: Floats = np.zeros(0, np.float32)
        self._end = 0  # where they end, samples of HEARD_RATE
        self._forget()

    def take(self, packet: VoicePacket, link: LinkStats) -> None:
        """Take a packet; one that comes after a later one, and nonsense, is left out.

        Args:
            packet: from the caller.
            link: for the two clocks.
        """
        at = self._unwrap(packet)
        if at is None:
            return
        try:
            samples = self._decoder.decode(packet.payload)
        except ValueError as error:
            log.debug("%s", error)
            return
        if not len(samples):
            return
        self.packets += 1
        with self._lock:
            self._hear(at // DOWN, samples)
        self._delay.add(packet.received_ms - 1000 * at / RATE, packet.received_ms)
        if link.clock_offset_ms is None:
            return
        transit_ms = PACKET_MS + LOOKAHEAD_MS + (link.rtt_ms or 0.0) / 2
        begin_ms = self._delay.value() - link.clock_offset_ms - transit_ms
        with self._lock:
            self._begin_ms = begin_ms
        spoken_ms = begin_ms + 1000 * at / RATE
        self._play_later(_opus(packet.payload, at), spoken_ms, packet.received_ms)

    def features(self, captured_ms: float) -> Floats | None:
        """Return what a network hears of a moment; None where there has been no sound.

        Args:
            captured_ms: the moment, on the call clock.
        """
        heard: Floats = np.zeros(SPAN, np.float32)
        with self._lock:
            if self._begin_ms is None:
                return None
            end = round((captured_ms - self._begin_ms) * HEARD_A_MS)
            first = self._end - len(self._samples)
            low, high = max(end - SPAN, first), min(end, self._end)
            if low < high:
                heard[low - end + SPAN : high - end + SPAN] = self._samples[
                    low - first : high - first
                ]
        return sound_features(heard)

    def stop(self) -> None:
        """Play no more (on the event loop)."""
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()

    def _forget(self) -> None:
        """Begin a time line."""
        self._delay = SmallestDelay()
        self._newest: int | None = None  # the newest packet's stamp, unwrapped
        with self._lock:
            self._samples, self._begin_ms = self._samples[:0], None

    def _unwrap(self, packet: VoicePacket) -> int | None:
        """Return a packet's stamp on a line without end; None for one that comes too late."""
        if self._newest is not None:
            step = (packet.stamp - self._newest + 2**31) % 2**32 - 2**31
            if packet.source != self._source or abs(step) > LEAP_SAMPLES:
                self._forget()  # of a connection after a cut, or a peer who leaps
            elif step <= 0:
                return None
            else:
                self._newest += step
                return self._newest
        self._source = packet.source
        self._newest = packet.stamp
        return self._newest

    def _hear(self, at: int, samples: Floats) -> None:
        """Keep sound at its place; what was not heard before it is silent."""
        missing = at - self._end
        if not len(self._samples) or not -len(samples) < missing < KEPT_SAMPLES:
            self._samples, self._end, missing = self._samples[:0], at, 0
        gap = np.zeros(max(missing, 0), np.float32)
        self._samples = np.concatenate([self._samples, gap, samples])[-KEPT_SAMPLES:]
        self._end += len(gap) + len(samples)

    def _play_later(self, packet: OpusPacket, spoken_ms: float, received_ms: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = [timer for timer in self._waiting if timer.when() > loop.time()]
        if len(self._waiting) >= WAITING:
            self._waiting.pop(0).cancel()
        wait_s = min(max((self._due_ms(spoken_ms) - received_ms) / 1000, 0.0), LONGEST_WAIT_S)
        self._waiting.append(loop.call_later(wait_s, self._play, packet, spoken_ms))


def _opus(payload: bytes, at: int) -> OpusPacket:
    packet = av.Packet(payload)
    packet.pts, packet.time_base = at, TIME_BASE
    return cast(OpusPacket, packet)
