"""Which frames share a packet, and which need not be sent at all.

Pure logic: frames carry their capture times, so it is tested without sleeping.

A still face sends nothing but a refresh now and then (discontinuous transmission): the receiver
holds the last frame, and as long as that is what the face looks like, there is nothing to say.
"""

from __future__ import annotations

import numpy as np

from shared.latency import Latency
from shared.params import Floats, Frame
from shared.wire_table import WireTable, wire_tables

# Farther than this from what the receiver holds, a face is seen to have moved: the length of the
# difference in quantiser steps, each number's step moving the points alike; about half a percent
# of the eye distance, a quarter of a pixel.
SEEN_TO_MOVE = 3.0
# The same for hair and shoulders: about a pixel and a half.
SEEN_TO_SWAY = 8.0
# And for the inside of the mouth: a few levels of its brightness; for the irises: a shade.
SEEN_TO_SPEAK = 3.0
SEEN_TO_LOOK = 2.0
_SEEN = (SEEN_TO_MOVE, SEEN_TO_SWAY, SEEN_TO_SPEAK, SEEN_TO_LOOK)
UNEVEN_MS = 8.0  # a camera's frames come a little early or late
REFRESH_MS = 1000.0  # a still face is sent this often all the same


class Bundler:
    """Collects frames until a packet of them is worth sending.

    Attributes:
        frames_still: frames that were not sent because nothing had moved.
    """

    def __init__(self, latency: Latency) -> None:
        self.frames_still = 0
        self._latency = latency
        self._tables = wire_tables()
        self._waiting: list[Frame] = []
        self._interval_ms = 0.0
        self._newest_ms: int | None = None
        self._held: Frame | None = None

    def add(self, frame: Frame) -> list[list[Frame]]:
        """Take a frame; returns the packets that are ready, each a list of frames.

        Args:
            frame: its number and capture time are above those of the frames before.
        """
        ready = []
        if self._waiting and frame.sequence != self._waiting[-1].sequence + 1:
            ready += self.flush()  # a packet's frames are neighbours
        if self._newest_ms is not None:
            self._interval_ms = frame.captured_ms - self._newest_ms
        self._newest_ms = frame.captured_ms
        self._waiting.append(frame)
        if self._is_full():
            ready += self.flush()
        return ready

    def wait_ms(self) -> float | None:
        """Return how long the first frame that waits may wait in all; None when none does."""
        return self._latency.wait_ms if self._waiting else None

    def flush(self) -> list[list[Frame]]:
        """Return the frames that wait as a packet, or nothing while the face is still."""
        frames, self._waiting = self._waiting, []
        if not frames:
            return []
        newest = frames[-1]
        if self._held is not None and self._is_still(self._held, frames):
            if newest.captured_ms - self._held.captured_ms < REFRESH_MS:
                self.frames_still += len(frames)
                return []
            self.frames_still += len(frames) - 1
            frames = [newest]
        self._held = newest
        return [frames]

    def forget(self) -> None:
        """Drop what waits and what the receiver was thought to hold."""
        self._waiting, self._held = [], None

    def _is_full(self) -> bool:
        first, newest = self._waiting[0], self._waiting[-1]
        next_ms = newest.captured_ms + self._interval_ms
        late = next_ms - first.captured_ms > self._latency.wait_ms + UNEVEN_MS
        return len(self._waiting) >= self._latency.frames or late

    def _is_still(self, held: Frame, frames: list[Frame]) -> bool:
        return all(
            _apart(own, other, table) < seen
            for frame in frames
            for own, other, table, seen in zip(
                (frame.params.to_vector(), *frame.detail.parts),
                (held.params.to_vector(), *held.detail.parts),
                (self._tables.face, *self._tables.detail),
                _SEEN,
                strict=True,
            )
        )


def _apart(one: Floats, other: Floats, table: WireTable) -> float:
    """Return how far numbers lie apart, quantiser steps."""
    return float(np.linalg.norm((one - other) / table.steps))
