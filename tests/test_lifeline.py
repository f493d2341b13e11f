"""Calls that are cut, over real peer connections: who takes over, and who may not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiortc import RTCPeerConnection

from benchmarks.weather import Weather
from receiver.station import Station
from shared.call_receiver import CallReceiver
from shared.claim import JOIN_HEADER, Claim, new_join_id, new_resume_token
from shared.errors import UnreachableError
from shared.lifeline import Lifeline
from shared.link import Link
from shared.link_config import LinkSettings
from shared.messages import Message, Reference
from shared.signalling import CallAddress, RefusedError, join
from shared.tally import Tally
from shared.transport import CallSender
from tests.receiving import FACE_MODEL, client, frame, params, photograph, serving
from tests.test_call import Seen

# Quick, so that a test need not sit through real silences; the order of the times is kept.
QUICK = LinkSettings(
    idle_s=0.3, probe_s=0.4, probe_every_s=0.1, silence_s=0.7, attempt_every_s=0.5, give_up_s=30
)


class Talk:
    """A call in which the sender sends a frame every 40 ms."""

    def __init__(self, station: Station, url: str, caller: CallSender, seen: Seen) -> None:
        self.station, self.url, self.caller, self.seen = station, url, caller, seen

    async def on(self) -> None:
        sequence = 0
        while True:
            self.caller.send_frame(frame(sequence, captured_ms=int(self.caller.clock.now_ms())))
            sequence += 1
            await asyncio.sleep(0.04)

    def receiver(self) -> CallReceiver:
        assert self.station._call is not None
        assert self.station._call.link is not None
        return self.station._call.link

    async def fresh(self) -> None:
        """Wait for a picture of what the camera sees from now on."""
        now_ms = self.caller.clock.now_ms()
        await self.seen.until(lambda: self.seen.pictures[-1].captured_ms >= now_ms)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - flags of others, polled in a test
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def talking(
    weather: Weather, monkeypatch: pytest.MonkeyPatch, settings: LinkSettings = QUICK
) -> AsyncIterator[Talk]:
    monkeypatch.setattr("shared.call_receiver.link_settings", lambda: settings)
    seen = Seen()
    with weather.over_links():
        async with serving(own_reference=False, sinks=(seen,)) as (station, url):
            caller = await CallSender.connect(
                url, timeout=30, face_model=FACE_MODEL, settings=settings
            )
            await caller.send_reference(photograph(), "image/jpeg")
            await caller.send_calibration(params())
            talk = Talk(station, url, caller, seen)
            task = asyncio.create_task(talk.on())
            try:
                await seen.until(lambda: len(seen.pictures) > 5)
                yield talk
            finally:
                task.cancel()
                await caller.close("the test is over")


def references(monkeypatch: pytest.MonkeyPatch) -> list[Reference]:
    """Note every photograph that is announced from now on."""
    sent: list[Reference] = []
    from shared import call_sender

    announce = call_sender.announce

    def noting(data: bytes, mime: str) -> Reference:
        sent.append(announce(data, mime))
        return sent[-1]

    monkeypatch.setattr(call_sender, "announce", noting)
    return sent


async def test_another_link_takes_over_from_one_that_stays_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weather = Weather(seed=1)
    async with talking(weather, monkeypatch) as talk:
        tag, again = talk.station.portrait.tag, references(monkeypatch)
        old = talk.caller._lifeline.current
        frames = talk.receiver().stats().frames
        weather.is_cut = True
        await until(lambda: talk.station.stats()["state"] == "reconnecting")
        await until(lambda: talk.caller.reconnecting)
        weather.bury()
        weather.is_cut = False
        await talk.fresh()
        assert talk.caller._lifeline.current is not old
        assert talk.station.stats()["state"] == "live"
        assert talk.station.portrait.tag == tag
        assert not again
        # The same call: its figures went on, and what the cut took is counted as lost or skipped.
        theirs, mine = talk.receiver().stats(), talk.caller.stats()
        assert theirs.frames > frames
        assert (theirs.reconnects, mine.reconnects) == (1, 1)
        assert mine.frames_skipped > 0
        sequences = [picture.sequence for picture in talk.seen.pictures]
        assert sequences == sorted(set(sequences))
        assert talk.seen.ends == 0


async def test_the_old_link_goes_on_when_it_is_heard_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weather = Weather(seed=1)
    # Attempts so rare that only the old link can be back in time.
    settings = QUICK.model_copy(update={"attempt_every_s": 60})
    async with talking(weather, monkeypatch, settings) as talk:
        old = talk.caller._lifeline.current
        weather.is_cut = True
        await until(lambda: len(weather.links) == 4)
        weather.dead += weather.links[2:]  # the new link's ends
        weather.is_cut = False
        await talk.fresh()
        assert talk.caller._lifeline.current is old
        assert talk.caller.stats().reconnects == 1
        await until(lambda: len(talk.caller._lifeline._links) == 1)


async def test_nothing_that_piled_up_is_shown_late(monkeypatch: pytest.MonkeyPatch) -> None:
    weather = Weather(seed=1)
    async with talking(weather, monkeypatch) as talk:
        weather.is_cut = True
        await asyncio.sleep(3)
        weather.is_cut = False
        before, now_ms = len(talk.seen.pictures), talk.caller.clock.now_ms()
        await talk.fresh()
        late = [p.captured_ms for p in talk.seen.pictures[before:] if p.captured_ms < now_ms - 500]
        assert late == []


async def test_saying_nothing_is_not_a_cut_and_costs_little() -> None:
    async with serving() as (station, url):
        caller = await CallSender.connect(url, timeout=30, face_model=FACE_MODEL)
        await caller.send_calibration(params())
        await until(lambda: station._call is not None and station._call.began)
        await asyncio.sleep(1)  # the first few pings
        before = caller.stats()
        await asyncio.sleep(5)
        after = caller.stats()
        assert after.reconnects == 0
        assert station.stats()["reconnects"] == 0
        # A ping a second from the sender, one every other second from the receiver.
        assert after.messages_sent - before.messages_sent <= 7
        assert after.messages_received - before.messages_received <= 5
        await caller.close("done")


async def test_a_plain_whip_client_is_a_caller_of_one_try() -> None:
    async with serving() as (_, url), client(url) as http:
        headers = {"content-type": "application/sdp"}
        first = await http.post("/whip", content=await offer(), headers=headers)
        assert first.status_code == 201
        again = await http.post("/whip", content=await offer(), headers=headers)
        assert again.status_code == 409
        assert (await http.delete(first.headers["location"])).status_code == 200


async def offer() -> str:
    connection = RTCPeerConnection()
    connection.createDataChannel("reference")
    await connection.setLocalDescription(await connection.createOffer())
    text: str = connection.localDescription.sdp
    await connection.close()
    return text


async def test_a_stranger_cannot_take_a_call_over(monkeypatch: pytest.MonkeyPatch) -> None:
    weather = Weather(seed=1)
    async with talking(weather, monkeypatch) as talk:
        address, sdp = CallAddress.parse(talk.url), await offer()
        join_id, token = talk.caller._join_id, talk.caller._token
        strangers = [
            Claim(),  # a second sender
            Claim(new_join_id()),
            Claim(join_id),  # overheard, and worth nothing once the call is on
            Claim.of(join_id, new_resume_token(), sdp),
            Claim.of(join_id, token, sdp + "a=x:1\r\n"),  # a proof overheard, another offer
        ]
        for silent in (False, True):
            if silent:
                weather.is_cut = True
                await until(lambda: talk.station.stats()["state"] == "reconnecting")
            for claim in strangers:
                with pytest.raises(RefusedError, match="cut off" if silent else "someone else"):
                    await join(address, sdp, 20, claim)
        own = Claim.of(join_id, token, sdp)
        await join(address, sdp, 20, own)
        with pytest.raises(RefusedError, match="cut off"):  # the same offer overheard
            await join(address, sdp, 20, own)
        weather.is_cut = False
        await talk.fresh()
        assert talk.station.stats()["state"] == "live"


async def test_a_malformed_claim_is_a_bad_request() -> None:
    async with serving() as (_, url), client(url) as http:
        headers = {"content-type": "application/sdp", JOIN_HEADER: "short"}
        response = await http.post("/whip", content=await offer(), headers=headers)
        assert response.status_code == 400
        assert JOIN_HEADER in response.text


async def test_a_call_that_is_over_cannot_be_taken_up() -> None:
    async with serving() as (_, url):
        sdp = await offer()
        claim = Claim.of(new_join_id(), new_resume_token(), sdp)
        with pytest.raises(RefusedError, match="is over"):
            await join(CallAddress.parse(url), sdp, 20, claim)


async def test_a_silence_without_end_ends_the_call_on_both_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weather = Weather(seed=1)
    settings = QUICK.model_copy(update={"give_up_s": 2})
    async with talking(weather, monkeypatch, settings) as talk:
        receiver = talk.receiver()
        weather.is_cut = True
        sentence = "nothing was heard from the other side for 2 s"
        assert await talk.caller.wait_closed() == sentence
        assert await receiver.wait_closed() == sentence
        assert not talk.caller.said_bye
        await until(lambda: talk.station.stats()["state"] == "ended")
        assert not talk.caller.send_frame(frame(9999))


async def test_a_receiver_that_has_hung_up_is_not_searched_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weather = Weather(seed=1)
    async with talking(weather, monkeypatch) as talk:
        weather.is_cut = True
        await until(lambda: talk.caller.reconnecting)
        # The goodbye cannot get through, but the next offer is told that the call is over.
        await talk.receiver().close("the receiver was stopped")
        assert "is over" in await talk.caller.wait_closed()


async def test_one_way_that_is_cut_is_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    weather = Weather(seed=1)
    async with talking(weather, monkeypatch) as talk:
        link = talk.caller._lifeline.current
        assert link is not None
        weather.dead.append(link.connection)
        # The receiver is still heard, but what it says is not an answer.
        await until(lambda: talk.caller.reconnecting)
        await talk.fresh()
        assert talk.caller._lifeline.current is not link


async def test_a_cut_in_the_photograph_starts_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.call_receiver.link_settings", lambda: QUICK)
    weather, sent = Weather(seed=1), references(monkeypatch)
    with weather.over_links():
        async with serving(own_reference=False) as (station, url):
            caller = await CallSender.connect(
                url, timeout=30, face_model=FACE_MODEL, settings=QUICK
            )
            data = photograph() + bytes(400_000)
            sending = asyncio.create_task(caller.send_reference(data, "image/jpeg"))
            await until(lambda: len(sent) == 1)
            weather.bury()
            async with asyncio.timeout(60):
                await sending
            assert len(sent) == 2
            assert station.portrait.ready
            await caller.close("done")


async def test_joining_races_attempts_where_the_first_fails() -> None:
    weather = Weather(seed=3)
    settings = LinkSettings(attempt_every_s=0.5)
    weather.is_cut = True
    with weather.over_links():
        async with serving() as (station, url):
            joining = asyncio.create_task(
                CallSender.connect(url, timeout=60, face_model=FACE_MODEL, settings=settings)
            )
            await until(lambda: len(weather.links) >= 6)  # three attempts, at both ends
            weather.bury()
            weather.is_cut = False
            caller = await joining
            assert station.stats()["state"] == "waiting"
            await caller.send_calibration(params())
            await until(lambda: station._call is not None and station._call.began)
            # One call, and one link of it: the others were let go.
            assert station._call is not None
            assert station._call.link is not None
            await until(lambda: len(station._call.link._lifeline._links) == 1)  # type: ignore[union-attr]
            await caller.close("done")


async def test_joining_through_loss() -> None:
    weather = Weather(seed=5, loss=0.2)
    with weather.over_links():
        async with serving() as (_, url):
            caller = await CallSender.connect(url, timeout=60, face_model=FACE_MODEL)
            await caller.close("done")
    assert weather.dropped > 0


async def test_joining_in_vain_is_given_up_with_a_sentence() -> None:
    weather = Weather(seed=1)
    weather.is_cut = True
    with weather.over_links():
        async with serving() as (station, url):
            started = time.monotonic()
            with pytest.raises(UnreachableError, match="no connection came about within 3 s") as e:
                await CallSender.connect(url, timeout=3, face_model=FACE_MODEL)
            assert e.value.exit_code == 3
            assert time.monotonic() - started < 30
            # The place is free again at once.
            weather.is_cut = False
            caller = await CallSender.connect(url, timeout=30, face_model=FACE_MODEL)
            await caller.close("done")
            assert station.stats()["state"] == "waiting"


async def test_a_link_that_never_carries_the_call_is_closed() -> None:
    settings = LinkSettings(join_s=0.2)
    lifeline = Lifeline(settings, Tally(), lambda: None)
    carrying, left = (
        Link(lambda: 0.0, no_message, no_packet, settings, Tally(), sends_frames=False)
        for _ in range(2)
    )
    lifeline.add(carrying)
    assert lifeline.carry(carrying)
    lifeline.add(left)
    async with asyncio.timeout(30):
        assert "in time" in await asyncio.shield(left.closed)
    assert not carrying.is_over()
    assert not lifeline.is_over()
    await lifeline.close("the test is over")


def no_message(link: Link, message: Message) -> None: ...
def no_packet(link: Link, packet: bytes) -> None: ...


async def test_tries_do_not_hold_a_place_without_end() -> None:
    class Handler:
        wants_reference, face_model = False, FACE_MODEL
        reasons: tuple[Any, ...] = ()

        async def on_reference(self, data: bytes, mime: str) -> None: ...
        async def on_calibration(self, origin: Any) -> None: ...
        def on_frame(self, frame: Any, received_ms: float) -> None: ...
        def on_voice(self, packet: Any) -> None: ...
        def on_closed(self, reason: str) -> None:
            self.reasons += (reason,)

    settings = LinkSettings(join_s=0.5, attempts=2)
    handler, claim = Handler(), Claim(new_join_id())
    call = CallReceiver(handler, settings)
    most = 0
    async with asyncio.timeout(60):
        while not handler.reasons:
            await call.take(await offer(), claim)
            most = max(most, len(call._lifeline._links))
            await asyncio.sleep(0.1)
    assert "did not connect" in handler.reasons[0]
    assert most <= 2 * settings.attempts + 1
