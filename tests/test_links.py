"""The links that are printed."""

from __future__ import annotations

import asyncio

import pytest

from receiver import links as module
from receiver.config import ReceiverSettings
from receiver.links import LinkOffice, Links, is_local, reachable_url
from receiver.server import bind, url_of
from receiver.tokens import Role, Tokens
from shared.signalling import CallAddress

SETTINGS = ReceiverSettings(call_link_minutes=10, watch_link_minutes=60)


def header(link: str) -> str:
    return f"Bearer {CallAddress.parse(link).token}"


def test_on_loopback_links_are_plain() -> None:
    assert LinkOffice("http://localhost:1", None, SETTINGS).links() == Links(
        "http://localhost:1", "http://localhost:1", False
    )


def test_beyond_loopback_each_link_is_good_for_its_own_purpose() -> None:
    tokens = Tokens()
    links = LinkOffice("https://calls.example.org", tokens, SETTINGS).links()
    assert links.protected
    tokens.check(Role.CALL, header(links.call))
    tokens.check(Role.WATCH, header(links.watch))
    assert links.call.startswith("https://calls.example.org/#token=")


def test_a_room_is_in_its_links() -> None:
    assert LinkOffice("http://localhost:1", None, SETTINGS, 2).links() == Links(
        "http://localhost:1/2", "http://localhost:1/2", False, 2
    )
    tokens = Tokens()
    links = LinkOffice("https://calls.example.org/faces", tokens, SETTINGS, 2).links()
    assert links.call.startswith("https://calls.example.org/faces/2/#token=")
    assert str(CallAddress.parse(links.call).whip).endswith("/faces/2/whip")
    tokens.check(Role.CALL, header(links.call))


def test_the_list_of_rooms_can_only_be_looked_at() -> None:
    assert LinkOffice("http://x", None, SETTINGS, calls=False).links() == Links("http://x", "")
    now_s = 0.0
    office = LinkOffice("http://x", Tokens(lambda: now_s), SETTINGS, calls=False)
    first = office.links()
    assert first.call == ""
    assert "#token=" in first.watch
    now_s = 900.0  # when a link to call would have expired
    assert office.links() == first


def test_links_stay_until_they_are_useless() -> None:
    now_s = 0.0
    tokens = Tokens(lambda: now_s)
    office = LinkOffice("http://x", tokens, SETTINGS)
    first = office.links()
    assert office.links() == first
    tokens.used(tokens.check(Role.CALL, header(first.call)))
    assert office.links() == first  # the call is on
    tokens.over(True)
    second = office.links()
    assert (second.call != first.call, second.watch == first.watch) == (True, True)
    now_s = 600.0
    assert office.links().call != second.call
    now_s = 3600.0
    assert office.links().watch != first.watch


async def test_new_links_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    tokens, told = Tokens(), asyncio.Queue[Links]()
    office = LinkOffice("http://x", tokens, SETTINGS)
    first = office.links()
    telling = asyncio.create_task(office.keep_telling(told.put_nowait))
    await asyncio.sleep(0.05)
    assert told.empty()
    tokens.used(tokens.check(Role.CALL, header(first.call)))
    tokens.over(True)
    assert (await asyncio.wait_for(told.get(), 20)).call != first.call
    telling.cancel()


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_what_others_reach_is_told_from_loopback(host: str, local: bool) -> None:
    with bind(host, 0) as listener:
        assert is_local(listener) is local
        url = reachable_url(listener, "https")
        assert url.startswith("https://")
        assert "0.0.0.0" not in url
        assert url_of(listener, "https").startswith("https://localhost:")
