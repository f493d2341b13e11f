"""Watchers of the rebuilt picture: a WebRTC video track for each, by WHEP, and one of sound."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from dataclasses import dataclass

import cv2
import numpy as np
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)

from receiver.offers import clean_offer
from receiver.picture import Picture
from receiver.track import PictureTrack
from shared.datagram_guard import guard_datagrams
from shared.ice_servers import ice_servers
from shared.link_config import link_settings
from shared.pictures import Image
from shared.sdp import SignallingError
from shared.tasks import spawn
from shared.voice import OpusPacket
from shared.voice_track import VoiceTrack

log = logging.getLogger(__name__)

_CONNECT_S = 15.0
_CLOSE_S = 5.0


@dataclass(slots=True, eq=False)
class _Watcher:
    connection: RTCPeerConnection
    track: PictureTrack
    voice: VoiceTrack
    connected: asyncio.Event


class Watchers:
    """Everyone who watches; a sink with an ear."""

    def __init__(self, limit: int) -> None:
        """Open for watchers; call it on the event loop.

        Args:
            limit: how many may watch at once; each costs one video encoder.
        """
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._watchers: dict[str, _Watcher] = {}
        self._joining = 0
        self._lock = threading.Lock()
        self._newest: Image | None = None
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._watchers)

    def show(self, picture: Picture) -> None:
        """Send a picture to every watcher (painting thread)."""
        planar = np.asarray(cv2.cvtColor(picture.image, cv2.COLOR_RGB2YUV_I420), np.uint8)
        with self._lock:
            self._newest = planar
            if self._scheduled:  # a loop that lags gets the newest picture, not a pile of them
                return
            self._scheduled = True
        self._loop.call_soon_threadsafe(self._publish)

    def expect_sound(self) -> None:
        """Nothing to do: a page asks for sound whether or not there will be any."""

    def hear(self, packet: OpusPacket, spoken_ms: float) -> None:
        """Send a packet of sound to every watcher, as it came (event loop)."""
        for watcher in self._watchers.values():
            watcher.voice.put(packet)

    def end_call(self) -> None:
        """Keep the last picture for those who are watching; none for who comes later."""
        with self._lock:
            self._newest = None

    async def join(self, offer: str) -> tuple[str, str]:
        """Answer a watcher's offer.

        Returns:
            The watcher's id and the answer.

        Raises:
            SignallingError: the offer cannot be answered, or no place is free.
        """
        offer = clean_offer(offer)
        if len(self._watchers) + self._joining >= self._limit:
            raise SignallingError(
                f"there are already {self._limit} watchers; close one of their pages first", 503
            )
        self._joining += 1
        try:
            watcher, answer = await self._answer(offer)
        finally:
            self._joining -= 1
        identifier = secrets.token_urlsafe(16)
        self._watchers[identifier] = watcher
        spawn(self._attend(identifier, watcher), "watcher")
        return identifier, answer

    async def leave(self, identifier: str) -> bool:
        """Let a watcher go; False when there is none of that id."""
        watcher = self._watchers.pop(identifier, None)
        if watcher is None:
            return False
        watcher.track.stop()
        watcher.voice.stop()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await watcher.connection.close()
        except TimeoutError:
            log.warning("a watcher's connection did not close in %.0f s", _CLOSE_S)
        return True

    async def close(self) -> None:
        """Let every watcher go."""
        await asyncio.gather(*(self.leave(identifier) for identifier in list(self._watchers)))

    def _publish(self) -> None:
        with self._lock:
            self._scheduled = False
            newest = self._newest
        if newest is not None:
            for watcher in self._watchers.values():
                watcher.track.publish(newest)

    async def _answer(self, offer: str) -> tuple[_Watcher, str]:
        connection = RTCPeerConnection(
            RTCConfiguration(
                iceServers=ice_servers(link_settings()), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
            )
        )
        track, voice = PictureTrack(self._newest), VoiceTrack()
        watcher = _Watcher(connection, track, voice, asyncio.Event())
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            sender = connection.addTrack(track)
            if any(one.kind == "audio" for one in connection.getTransceivers()):
                connection.addTrack(voice)
            await connection.setLocalDescription(await connection.createAnswer())
            guard_datagrams(sender.transport)
        except Exception as error:  # aiortc raises many undocumented types on a hostile offer
            log.debug("an offer to watch was refused", exc_info=error)
            await connection.close()
            raise SignallingError("this is not an offer that can be answered") from error
        return watcher, connection.localDescription.sdp

    async def _attend(self, identifier: str, watcher: _Watcher) -> None:
        """Let the watcher go when it never connects, or when its connection ends."""
        ended = asyncio.Event()

        def changed() -> None:
            state = watcher.connection.connectionState
            if state == "connected":
                watcher.connected.set()
            elif state in ("failed", "closed"):
                watcher.connected.set()
                ended.set()

        watcher.connection.on("connectionstatechange", changed)
        changed()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await watcher.connected.wait()
            await ended.wait()
        except TimeoutError:
            log.info("a watcher did not connect in %.0f s", _CONNECT_S)
        finally:
            await self.leave(identifier)
