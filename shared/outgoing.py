"""The way of frames out of a call's sender: bundled, encoded, and never waiting for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.bundler import Bundler
from shared.latency import Latency
from shared.params import Frame
from shared.wire import FrameEncoder


class Outgoing:
    """Turns frames into packets, over all the links that a call has."""

    def __init__(
        self,
        latency: Latency,
        send: Callable[[bytes, int], bool],
        is_lossy: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin a call.

        Args:
            latency: how long frames may wait for one another.
            send: takes a packet and the number of frames in it; False when it did not go out.
            is_lossy: whether packets get lost at the moment. Then each stands alone: a lost one
                spoils no other.
        """
        self._latency = latency
        self._send = send
        self._is_lossy = is_lossy
        self._bundler = Bundler(latency)
        self._encoder = self._new_encoder()
        self._overdue: asyncio.TimerHandle | None = None

    @property
    def frames_still(self) -> int:
        """How many frames were not sent because the face was still."""
        return self._bundler.frames_still

    def add(self, frame: Frame) -> None:
        """Send a frame as soon as those that share its packet are there."""
        self._send_all(self._bundler.add(frame))
        self._stop_clock()
        # Let no frame wait for others that never come: the camera may have stopped.
        if (wait_ms := self._bundler.wait_ms()) is not None:
            loop = asyncio.get_running_loop()
            self._overdue = loop.call_later(wait_ms / 1000, self.flush)

    def flush(self) -> None:
        """Send what waits."""
        self._stop_clock()
        self._send_all(self._bundler.flush())

    def start_over(self) -> None:
        """Begin with a key, and with a moved face: nobody knows what the other side holds."""
        self._stop_clock()
        self._bundler.forget()
        self._encoder = self._new_encoder()

    def _send_all(self, packets: list[list[Frame]]) -> None:
        for frames in packets:
            packet = self._encoder.encode(frames, alone=self._is_lossy())
            if not self._send(packet, len(frames)):
                self.start_over()

    def _new_encoder(self) -> FrameEncoder:
        return FrameEncoder(self._latency.key_packets, self._latency.coarse)

    def _stop_clock(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
