"""A WebRTC audio track that hands on Opus packets as they are."""

from __future__ import annotations

import asyncio
from collections import deque

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from shared.voice import OpusPacket

# Half a second. What a link cannot take now would only come late.
QUEUE_SIZE = 8


class VoiceTrack(MediaStreamTrack):
    """Sends what is put into it; a full queue drops its oldest."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._packets: deque[OpusPacket] = deque(maxlen=QUEUE_SIZE)
        self._changed = asyncio.Event()

    def put(self, packet: OpusPacket) -> None:
        """Send this packet next (on the event loop)."""
        self._packets.append(packet)
        self._changed.set()

    def stop(self) -> None:
        """End the track and wake whoever waits for its next packet."""
        super().stop()
        self._changed.set()

    async def recv(self) -> OpusPacket:
        """Return the next packet once there is one."""
        while self.readyState == "live":
            if self._packets:
                return self._packets.popleft()
            self._changed.clear()
            await self._changed.wait()
        raise MediaStreamError
