"""Several rooms behind one address: their pages, links and calls, apart from one another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from receiver.bouncer import Bouncer
from receiver.config import ReceiverSettings
from receiver.door import Door
from receiver.guard import Guard
from receiver.links import LinkOffice
from receiver.lobby import create_lobby
from receiver.portrait import Portrait
from receiver.room import Room
from receiver.server import WebServer, bind, url_of
from receiver.station import Station, StationOptions
from receiver.tokens import Role, Tokens
from receiver.whep import Watchers
from shared.errors import UnreachableError
from shared.transport import CallSender
from tests import chromium
from tests.receiving import FACE_MODEL, Sketch, client, frame, params
from tests.test_call import Seen, send
from tests.test_whep import Viewer

BROWSER = chromium.find()
SDP = {"content-type": "application/sdp"}
HOUR_S = 3600.0


class Lobby:
    """A receiver with rooms from 1, each with its sink; `tokens` are the list's own."""

    def __init__(self, count: int, protected: bool) -> None:
        self.tokens = Tokens() if protected else None
        self.seen = [Seen() for _ in range(count)]
        self.rooms = [self._room(number) for number in range(1, count + 1)]
        self.url = ""

    def _room(self, number: int) -> Room:
        portrait = Portrait(Sketch())
        portrait.take(np.full((240, 320, 3), 20 * number, np.uint8))
        options = StationOptions(True, 20.0, FACE_MODEL, None, "sketch", "test")
        station = Station(portrait, Watchers(4), options, [self.seen[number - 1]])
        tokens = Tokens() if self.tokens else None
        office = LinkOffice("http://x", tokens, ReceiverSettings(), number)
        return Room(number, station, Door(Guard([]), tokens), office)

    def header(self, room: int, role: Role) -> dict[str, str]:
        """Return what lets into a room; 0 is the list."""
        tokens = self.rooms[room - 1].door.tokens if room else self.tokens
        assert tokens is not None
        return {"authorization": f"Bearer {tokens.issue(role, HOUR_S)}"}


@contextlib.asynccontextmanager
async def lobby(count: int = 2, *, protected: bool = False) -> AsyncIterator[Lobby]:
    made = Lobby(count, protected)
    listener = bind("127.0.0.1", 0)
    app = create_lobby(made.rooms, Door(Guard([]), made.tokens))
    server = WebServer(app, None, Bouncer({room.path: room.door for room in made.rooms}))
    listener.listen()
    task = asyncio.create_task(server.serve(sockets=[listener]))
    made.url = url_of(listener).replace("localhost", "127.0.0.1")
    try:
        yield made
    finally:
        for room in made.rooms:
            await room.station.close("the test is over")
        server.should_exit = True
        await task


async def test_the_list_and_every_room_have_their_pages() -> None:
    async with lobby(12) as there, client(there.url) as http:
        for path, what in [
            ("/", "rooms.js"),
            ("/rooms.js", "keepAsking"),
            ("/style.css", ".rooms"),
            ("/icon.svg", "<svg"),
            ("/healthz", "ok"),
            ("/1/", "app.js"),
            ("/12/app.js", "whep"),
            ("/12/stats", "waiting"),
            ("/12/metrics", "headcall_live"),
            ("/12/healthz", "ok"),
        ]:
            response = await http.get(path)
            assert response.status_code == 200, path
            assert what in response.text, path
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        for path in ("/0/", "/13/", "/01/", "/stats", "/docs", "/1/rooms.js", "/1/1/"):
            assert (await http.get(path)).status_code == 404, path
        entering = await http.get("/12")
        assert entering.status_code == 307
        assert str(entering.next_request.url if entering.next_request else "") == (
            f"{there.url}/12/"
        )
        pages = [(await http.get(f"/{room}/reference.jpg")).content for room in (1, 2)]
        assert pages[0] != pages[1]


async def test_a_page_asks_for_nothing_outside_its_room() -> None:
    async with lobby() as there, client(there.url) as http:
        for path in ("/", "/1/"):
            assert '="/' not in (await http.get(path)).text
        for path in ("/rooms.js", "/1/app.js"):
            text = (await http.get(path)).text
            assert 'fetch("/' not in text
            assert "fetch(`/" not in text


async def test_calls_in_two_rooms_do_not_disturb_one_another() -> None:
    async with lobby() as there, client(there.url) as http:
        callers = [
            await CallSender.connect(f"{there.url}/{room}", timeout=20, face_model=FACE_MODEL)
            for room in (1, 2)
        ]
        for caller, seen in zip(callers, there.seen, strict=True):
            await caller.send_calibration(params())
            await send(caller, seen, 0, 3)
        assert [room["state"] for room in (await http.get("/rooms")).json()] == ["live", "live"]
        with pytest.raises(UnreachableError, match="in a call with someone else"):
            await CallSender.connect(f"{there.url}/2", timeout=20, face_model=FACE_MODEL)
        await callers[0].close("done")
        await asyncio.wait_for(there.rooms[0].station.call_ended.wait(), 20)
        await there.rooms[0].station.wait_until_free()
        assert [room.station.busy for room in there.rooms] == [False, True]
        shown = len(there.seen[0].pictures)
        await send(callers[1], there.seen[1], 3, 3)
        rooms = (await http.get("/rooms")).json()
        assert [(room["room"], room["state"]) for room in rooms] == [(1, "ended"), (2, "live")]
        assert len(there.seen[0].pictures) == shown
        assert (await http.get("/1/stats")).json()["frames_shown"] == shown
        again = await CallSender.connect(f"{there.url}/1/", timeout=20, face_model=FACE_MODEL)
        await again.close("done")
        await callers[1].close("done")


async def test_leaving_and_watching_stay_within_the_room() -> None:
    viewer = Viewer()
    async with lobby() as there, client(there.url) as http:
        response = await http.post("/2/whep", content=await viewer.offer(), headers=SDP)
        assert response.status_code == 201
        place = response.headers["location"]
        assert place.startswith("/2/whep/")
        assert [len(room.station.watchers) for room in there.rooms] == [0, 1]
        assert (await http.delete(place.replace("/2/", "/1/"))).status_code == 404
        assert (await http.delete(place)).status_code == 200
    await viewer.connection.close()


async def test_who_calls_no_room_is_told_to() -> None:
    async with lobby(3) as there:
        with pytest.raises(UnreachableError, match="several rooms: add one of /1 to /3"):
            await CallSender.connect(there.url, timeout=20, face_model=FACE_MODEL)


async def test_a_link_leads_into_its_own_room_only() -> None:
    async with lobby(protected=True) as there, client(there.url) as http:
        for path in ("/", "/1/", "/2/app.js", "/healthz", "/2"):
            assert (await http.get(path)).status_code < 400, path
        for path in ("/rooms", "/1/stats", "/2/reference.jpg"):
            assert (await http.get(path)).status_code == 401, path
        opened = {
            (room, path): (await http.get(path, headers=there.header(room, Role.WATCH))).status_code
            for room in (0, 1, 2)
            for path in ("/rooms", "/1/stats", "/2/stats")
        }
        assert {where for where, status in opened.items() if status == 200} == {
            (0, "/rooms"),
            (1, "/1/stats"),
            (2, "/2/stats"),
        }
        # The same from the bytes, before they are parsed, and from the head.
        for headers in (SDP, SDP | {"transfer-encoding": "chunked"}):
            for room in (0, 1):
                ticket = there.header(room, Role.CALL)
                response = await http.post("/2/whip", content=b"v=0", headers=headers | ticket)
                assert response.status_code == 401
                assert "not one of this receiver's" in response.text
        tokens = there.rooms[1].door.tokens
        assert tokens is not None
        link = f"{there.url}/2/#token={tokens.issue(Role.CALL, HOUR_S)}"
        caller = await CallSender.connect(link, timeout=20, face_model=FACE_MODEL)
        await caller.send_calibration(params())
        await send(caller, there.seen[1], 0, 1)
        await caller.close("done")
        await asyncio.wait_for(there.rooms[1].station.call_ended.wait(), 20)
        with pytest.raises(UnreachableError, match="for a call that is over"):
            await CallSender.connect(link, timeout=20, face_model=FACE_MODEL)


async def test_other_hosts_and_origins_get_into_no_room() -> None:
    async with lobby() as there, client(there.url) as http:
        for path in ("/", "/rooms", "/2", "/2/stats"):
            response = await http.get(path, headers={"host": "evil.example"})
            assert response.status_code == 403, path
        for path in ("/whip", "/2/whip", "/2/whep"):
            foreign = SDP | {"origin": "http://evil.example"}
            assert (await http.post(path, content=b"v=0", headers=foreign)).status_code == 403


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
async def test_the_list_shows_who_is_in_a_call(tmp_path: Path) -> None:
    assert BROWSER is not None
    state = "document.querySelector('#room-{} .state')?.textContent"
    async with (
        lobby() as there,
        chromium.browser(BROWSER, tmp_path / "profile", there.url) as page,
    ):
        await page.until(f"{state.format(2)} === 'Waiting for a caller'")
        address = f"{there.url}/2"
        caller = await CallSender.connect(address, timeout=30, face_model=FACE_MODEL)
        await caller.send_calibration(params())
        await send(caller, there.seen[1], 0, 2)
        for number in range(2, 400):
            caller.send_frame(frame(number, captured_ms=int(caller.clock.now_ms())))
            if await page.evaluate(f"{state.format(2)} === 'In a call'"):
                break
            await asyncio.sleep(0.1)
        assert await page.evaluate(f"{state.format(1)} === 'Waiting for a caller'")
        said = "document.getElementById('state').textContent === '1 of 2 rooms in a call'"
        await page.until(said)
        await page.evaluate("document.getElementById('room-2').click()")
        await page.until("document.getElementById('title')?.textContent.endsWith('room 2')")
        await page.until("document.getElementById('state')?.textContent === 'In a call'")
        assert await page.until("document.getElementById('reference').naturalWidth") == 256
        await caller.close("done")


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
async def test_with_links_the_list_opens_no_room(tmp_path: Path) -> None:
    assert BROWSER is not None
    async with lobby(protected=True) as there:
        assert there.tokens is not None
        link = f"{there.url}/#token={there.tokens.issue(Role.WATCH, HOUR_S)}"
        async with chromium.browser(BROWSER, tmp_path / "profile", link) as page:
            await page.until("document.getElementById('room-2') !== null")
            assert await page.evaluate("document.querySelectorAll('a[href]').length") == 0
        async with chromium.browser(BROWSER, tmp_path / "other", there.url) as page:
            refused = "document.getElementById('state').textContent"
            await page.until(f"{refused} === 'This link does not show the rooms'")
