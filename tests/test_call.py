"""Whole calls: a real sender's transport, a real station, a stand-in generator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from receiver.hearing import WAITING
from receiver.picture import Picture
from receiver.video_file import VideoFile
from shared.errors import BadInputError, UnreachableError
from shared.transport import CallSender
from shared.voice import PACKET_SAMPLES, RATE, VoiceEncoder
from tests.receiving import FACE_MODEL, Sketch, client, frame, params, photograph, serving
from tests.tones import onset_s, tone


class Seen:
    """A sink that lets a test wait for pictures."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.ends = 0
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def show(self, picture: Picture) -> None:
        self.pictures.append(picture)
        self._loop.call_soon_threadsafe(self._changed.set)

    def end_call(self) -> None:
        self.ends += 1
        self._loop.call_soon_threadsafe(self._changed.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


async def call(url: str) -> CallSender:
    return await CallSender.connect(url, timeout=20, face_model=FACE_MODEL)


async def send(caller: CallSender, seen: Seen, first: int, count: int) -> None:
    """Send frames, each once the one before was shown: none is skipped."""
    for n in range(first, first + count):
        before = len(seen.pictures)
        assert caller.send_frame(frame(n, captured_ms=int(caller.clock.now_ms())))
        await seen.until(lambda before=before: len(seen.pictures) > before)


async def test_a_call_with_the_receivers_photograph(tmp_path: Path) -> None:
    seen, file = Seen(), VideoFile(tmp_path / "call.mkv")
    report = tmp_path / "figures.json"
    async with serving(sinks=(seen, file), report=report) as (station, url):
        assert station.stats()["state"] == "waiting"
        caller = await call(url)
        assert not caller.wants_reference
        await caller.send_calibration(params())
        await send(caller, seen, 0, 20)
        assert station.stats()["state"] == "live"
        await caller.close("that is all")
        await asyncio.wait_for(station.call_ended.wait(), 20)
        assert station.stats()["state"] == "ended"
    figures = json.loads(report.read_text())
    assert figures["frames_shown"] == 20
    assert [row["sequence"] for row in figures["frames"]] == list(range(20))
    assert figures["lost"] == 0
    assert figures["payload_kbps"] > 0
    assert figures["wire_kbps"] > figures["payload_kbps"]
    assert 0 <= figures["latency_ms"]["p50"] < 5000
    with av.open(str(tmp_path / "call.mkv")) as container:
        images = [item.to_ndarray(format="rgb24") for item in container.decode(video=0)]
    assert len(images) == 20
    assert all((a == b.image).all() for a, b in zip(images, seen.pictures, strict=True))


async def test_the_callers_photograph_is_taken_and_a_bad_one_refused_with_a_sentence() -> None:
    seen = Seen()
    async with serving(own_reference=False, sinks=(seen,)) as (station, url), client(url) as http:
        assert (await http.get("/reference.jpg")).status_code == 404
        for data, sentence in [
            (photograph(brightness=0), "no face was found"),
            (b"this is no picture", "not a JPEG, PNG or WebP"),
            (photograph()[:200], "broken or cut short"),
        ]:
            caller = await call(url)
            assert caller.wants_reference
            with pytest.raises(BadInputError, match=sentence):
                await caller.send_reference(data, "image/jpeg")
            await caller.close("refused")
        assert station.stats()["state"] == "waiting"

        caller = await call(url)
        await caller.send_reference(photograph(180), "image/jpeg")
        await caller.send_calibration(params())
        await send(caller, seen, 0, 3)
        response = await http.get("/reference.jpg")
        assert response.headers["content-type"] == "image/jpeg"
        assert response.content[:2] == b"\xff\xd8"
        await caller.close("done")


async def speak(caller: CallSender, at_ms: float, packets: int) -> None:
    """Send silence, and from a moment of the call clock on a tone, in real time."""
    encoder, begin = VoiceEncoder(), round(caller.clock.now_ms() * RATE / 1000)
    for number in range(packets):
        at = begin + number * PACKET_SAMPLES
        samples = tone(PACKET_SAMPLES, start=at)
        samples[: max(0, round(at_ms * RATE / 1000) - at)] = 0
        due_ms = (at + PACKET_SAMPLES) * 1000 / RATE
        await asyncio.sleep(max(0.0, due_ms - caller.clock.now_ms()) / 1000)
        if (packet := encoder.encode(samples, at)) is not None:
            caller.send_voice(packet)


async def test_generator_and_file_hear_what_was_spoken_when_a_frame_was_captured(
    tmp_path: Path,
) -> None:
    seen, sketch, file = Seen(), Sketch(), VideoFile(tmp_path / "call.mkv")
    async with serving(sinks=(seen, file), generator=sketch) as (station, url):
        caller = await CallSender.connect(url, timeout=20, face_model=FACE_MODEL, sound=True)
        await caller.send_calibration(params())
        await send(caller, seen, 0, 1)
        assert sketch.heard == [None]
        assert not station.stats()["sound"]
        tone_ms = caller.clock.now_ms() + 1000
        speaking = asyncio.create_task(speak(caller, tone_ms, 40))
        for number in range(1, 45):
            caller.send_frame(frame(number, captured_ms=int(caller.clock.now_ms())))
            await asyncio.sleep(0.05)
        await speaking
        assert station.stats()["sound"]
        await caller.close("done")
        await seen.until(lambda: seen.ends == 1)
        assert not station.stats()["sound"]
    # A loaded machine is late by more than the clocks are wrong: generous on both sides.
    loudest = [
        (picture.captured_ms - tone_ms, float(heard.max()))
        for picture, heard in zip(seen.pictures, sketch.heard, strict=True)
        if heard is not None
    ]
    assert all(level < 0.3 for after_ms, level in loudest if after_ms < -200)
    assert any(level > 0.7 for _, level in loudest)
    expected_s = (tone_ms - seen.pictures[0].captured_ms) / 1000
    assert onset_s(tmp_path / "call.mkv") == pytest.approx(expected_s, abs=0.2)


async def test_a_caller_who_floods_with_sound_is_still_seen() -> None:
    seen = Seen()
    async with serving(sinks=(seen,)) as (station, url):
        caller = await CallSender.connect(url, timeout=20, face_model=FACE_MODEL, sound=True)
        await caller.send_calibration(params())
        await send(caller, seen, 0, 1)
        link: Any = caller._lifeline.current
        transport, noise = link.connection.sctp.transport, np.random.default_rng(1)
        for number in range(300):
            stamp = int(noise.integers(2**32))
            packet = RtpPacket(96, 0, number, stamp, number % 7, noise.bytes(100))
            await transport._send_rtp(packet.serialize())
        await send(caller, seen, 1, 3)
        call = station._call
        assert call is not None
        assert len(call.hearing._waiting) <= WAITING
        await caller.close("done")
        await seen.until(lambda: seen.ends == 1)


async def test_a_second_caller_is_refused_and_the_first_call_goes_on() -> None:
    seen = Seen()
    async with serving(sinks=(seen,)) as (_, url):
        first = await call(url)
        await first.send_calibration(params())
        await send(first, seen, 0, 2)
        with pytest.raises(UnreachableError, match="in a call with someone else"):
            await call(url)
        await send(first, seen, 2, 3)
        await first.close("done")
        await seen.until(lambda: seen.ends == 1)


async def test_a_later_caller_starts_from_nothing() -> None:
    seen = Seen()
    async with serving(own_reference=False, sinks=(seen,)) as (station, url):
        tags = []
        for brightness in (60, 200):
            caller = await call(url)
            await caller.send_reference(photograph(brightness), "image/jpeg")
            await caller.send_calibration(params())
            tags.append(station.portrait.tag)
            await send(caller, seen, 0, 5)  # the same sequence numbers again
            await caller.close("done")
            await seen.until(lambda: seen.ends == len(tags))
        assert tags[0] != tags[1]
        assert [item.sequence for item in seen.pictures] == [*range(5), *range(5)]
        assert station.stats()["frames_shown"] == 5


async def test_a_caller_with_another_face_model_is_sent_away() -> None:
    async with serving() as (station, url):
        with pytest.raises(BadInputError, match="face model"):
            await CallSender.connect(url, timeout=20, face_model="ffffffffffff")
        caller = await call(url)  # and the place is free again
        await caller.close("done")
        assert station.stats()["state"] == "waiting"


async def test_the_receiver_stopping_ends_the_call_with_a_reason() -> None:
    seen = Seen()
    async with serving(sinks=(seen,)) as (station, url):
        caller = await call(url)
        await caller.send_calibration(params())
        await send(caller, seen, 0, 2)
        await station.close("the receiver was stopped")
        assert "the receiver was stopped" in await asyncio.wait_for(caller.wait_closed(), 20)
        assert seen.ends == 1
        await caller.close("done")


async def test_deleting_the_call_ends_it() -> None:
    async with serving() as (station, url), client(url) as http:
        caller = await call(url)
        identifier = station._call_id
        assert (await http.delete("/whip/nonsense")).status_code == 404
        assert (await http.delete(f"/whip/{identifier}")).status_code == 200
        await asyncio.wait_for(caller.wait_closed(), 20)
        assert (await http.delete(f"/whip/{identifier}")).status_code == 404
        await caller.close("done")


async def test_a_generator_that_fails_now_and_then_does_not_end_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Seen()
    async with serving(sinks=(seen,)) as (station, url):
        caller = await call(url)
        await caller.send_calibration(params())
        paint, failed = station.portrait.paint, asyncio.Event()
        loop = asyncio.get_running_loop()

        def fail(*_: object) -> None:
            monkeypatch.setattr(station.portrait, "paint", paint)
            loop.call_soon_threadsafe(failed.set)
            raise RuntimeError("out of memory")

        monkeypatch.setattr(station.portrait, "paint", fail)
        assert caller.send_frame(frame(0, captured_ms=0))
        await asyncio.wait_for(failed.wait(), 20)
        await send(caller, seen, 1, 2)
        await caller.close("done")


async def test_a_station_that_stops_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with serving() as (station, url):
        caller = await call(url)
        await caller.send_calibration(params())
        await caller.close("done")
        await asyncio.wait_for(station.call_ended.wait(), 20)
    async with asyncio.timeout(20):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
