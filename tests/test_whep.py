from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

from receiver.offers import clean_offer
from receiver.picture import Picture, with_mark
from receiver.track import PictureTrack
from receiver.whep import Watchers
from shared.sdp import SignallingError
from tests.tones import packets


def picture(grey: int) -> Picture:
    return Picture(grey, grey, None, with_mark(np.full((256, 256, 3), grey, np.uint8)))


class Viewer:
    """A watcher as a browser is one."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection()
        self.track: MediaStreamTrack | None = None
        self.connection.on("track", self._on_track)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.track = track

    async def offer(self, *kinds: str) -> str:
        for kind in kinds or ("video",):
            self.connection.addTransceiver(kind, direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def watch(self, watchers: Watchers, *kinds: str) -> str:
        identifier, answer = await watchers.join(await self.offer(*kinds))
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return identifier

    async def sees(self, grey: int) -> None:
        """Wait until the picture shown is of this grey."""
        assert self.track is not None
        async with asyncio.timeout(20):
            while True:
                image = (await self.track.recv()).to_ndarray(format="rgb24")
                assert image.shape == (288, 256, 3)
                if abs(image[:250].mean() - grey) < 6:
                    return


async def test_watchers_see_each_picture_and_leave() -> None:
    watchers = Watchers(4)
    viewers = [Viewer(), Viewer()]
    identifiers = [await viewer.watch(watchers) for viewer in viewers]
    assert len(watchers) == 2
    for grey in (60, 200):
        thread = threading.Thread(target=watchers.show, args=(picture(grey),))
        thread.start()
        await asyncio.gather(*(viewer.sees(grey) for viewer in viewers))
        thread.join()
    assert await watchers.leave(identifiers[0])
    assert not await watchers.leave(identifiers[0])
    await watchers.close()
    assert len(watchers) == 0
    for viewer in viewers:
        await viewer.connection.close()


async def test_watchers_hear_what_is_played_and_those_without_sound_see() -> None:
    watchers, deaf, viewer = Watchers(4), Viewer(), Viewer()
    tracks: list[MediaStreamTrack] = []
    viewer.connection.on("track", tracks.append)
    await viewer.watch(watchers, "video", "audio")
    await deaf.watch(watchers)
    assert [track.kind for track in tracks] == ["video", "audio"]
    heard = asyncio.create_task(tracks[1].recv())
    watchers.show(picture(90))
    for packet in packets(40, hertz=500):
        watchers.hear(packet, 0.0)
        await asyncio.sleep(0.02)
        if heard.done():
            break
    samples = (await asyncio.wait_for(heard, 20)).to_ndarray()
    assert np.abs(samples).max() > 1000
    viewer.track, _ = tracks
    await asyncio.gather(viewer.sees(90), deaf.sees(90))
    await watchers.close()
    for one in (viewer, deaf):
        await one.connection.close()


async def test_who_comes_late_sees_the_picture_that_stands() -> None:
    watchers, viewer = Watchers(4), Viewer()
    watchers.show(picture(150))
    await viewer.watch(watchers)
    await viewer.sees(150)
    await watchers.close()
    await viewer.connection.close()


async def test_the_number_of_watchers_is_bounded_also_while_they_join() -> None:
    watchers = Watchers(2)
    viewers = [Viewer() for _ in range(4)]
    offers = [await viewer.offer() for viewer in viewers]
    results = await asyncio.gather(
        *(watchers.join(offer) for offer in offers), return_exceptions=True
    )
    refused = [item for item in results if isinstance(item, SignallingError)]
    assert len(refused) == 2
    assert all(item.status == 503 for item in refused)
    await watchers.close()
    for viewer in viewers:
        await viewer.connection.close()


async def test_a_watcher_whose_connection_ends_is_let_go_and_no_task_is_left() -> None:
    before = asyncio.all_tasks()
    watchers, viewer = Watchers(1), Viewer()
    await viewer.watch(watchers)
    watchers.show(picture(100))
    await viewer.sees(100)
    await viewer.connection.close()
    async with asyncio.timeout(20):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    assert len(watchers) == 0


async def test_a_picture_that_stands_still_is_sent_again() -> None:
    track = PictureTrack(np.full((432, 256), 128, np.uint8))
    frames = [await asyncio.wait_for(track.recv(), 20) for _ in range(2)]
    assert frames[1].pts > frames[0].pts
    track.stop()


async def test_what_is_no_offer_to_watch_is_refused() -> None:
    watchers, viewer = Watchers(4), Viewer()
    good = await viewer.offer()
    bad = [
        "",
        "hello",
        "v=0\r\n",
        good.replace("m=video", "m=audio"),
        good.replace("m=video", "m=application"),
        good + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
        good + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n" * 2,
        good + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 200,
        good + "a=x\r\n" * 2000,
        good.replace("a=ice-ufrag", "a=ignored"),
        good.replace("a=fingerprint", "a=ignored"),
        good.replace("a=setup:actpass", "a=setup:nonsense"),
    ]
    for offer in bad:
        with pytest.raises(SignallingError):
            await watchers.join(offer)
    assert len(watchers) == 0
    await watchers.join(good)
    await watchers.close()
    await viewer.connection.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_damaged_offer_raises_nothing_else(seed: int) -> None:
    random = np.random.default_rng(seed)
    watchers, viewer = Watchers(4), Viewer()
    lines = (await viewer.offer()).splitlines()
    for _ in range(15):
        damaged = list(lines)
        for _ in range(3):
            where = int(random.integers(1, len(damaged)))
            text = damaged[where]
            damaged[where] = text[: int(random.integers(0, len(text) + 1))] + "~"
        try:
            identifier, _ = await watchers.join("\r\n".join(damaged) + "\r\n")
        except SignallingError:
            continue
        await watchers.leave(identifier)
    await watchers.close()
    await viewer.connection.close()


def test_hidden_candidates_are_left_out() -> None:
    start = "v=0\r\nm=video 9 X 96\r\n"
    end = "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:f\r\na=setup:actpass\r\n"
    hidden = "a=candidate:1 1 udp 1 0a-b.local 9 typ host\r\n"
    assert clean_offer(start + hidden + end) == start + end
