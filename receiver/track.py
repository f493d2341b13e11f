"""The rebuilt picture as a WebRTC video track."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from shared.pictures import Image

_CLOCK_RATE = 90_000
# A picture that stands still is sent again this often: a watcher who lost it asks for a key
# frame, and only a next frame can be one.
_REPEAT_S = 1.0


class PictureTrack(MediaStreamTrack):
    """Hands the newest picture to one watcher; one the watcher was too slow for is dropped."""

    kind = "video"

    def __init__(self, newest: Image | None) -> None:
        """Start with the picture that is shown now.

        Args:
            newest: planar YUV 4:2:0, as ``publish`` takes it, or None.
        """
        super().__init__()
        self._newest = newest
        self._fresh = asyncio.Event()
        self._start = time.monotonic()
        self._last_pts = -1
        if newest is not None:
            self._fresh.set()

    def publish(self, picture: Image) -> None:
        """Show this picture next (planar YUV 4:2:0: one array of 3/2 of the height)."""
        self._newest = picture
        self._fresh.set()

    def stop(self) -> None:
        """End the track and wake whoever waits for its next frame."""
        super().stop()
        self._fresh.set()

    async def recv(self) -> av.VideoFrame:
        """Return the next picture once there is one."""
        await self._wait()
        if self.readyState != "live" or self._newest is None:
            raise MediaStreamError
        frame = av.VideoFrame.from_ndarray(self._newest, format="yuv420p")
        elapsed = int((time.monotonic() - self._start) * _CLOCK_RATE)
        self._last_pts = max(elapsed, self._last_pts + 1)
        frame.pts = self._last_pts
        frame.time_base = Fraction(1, _CLOCK_RATE)
        return frame

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(None if self._newest is None else _REPEAT_S):
                await self._fresh.wait()
        except TimeoutError:
            return
        self._fresh.clear()
