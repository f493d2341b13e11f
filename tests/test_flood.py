"""A flood of bad joins, small enough for any machine, and the good one among them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from benchmarks.flood import Flooded, bad_joins, flood_on, join_on
from receiver.bouncer import Bouncer
from receiver.door import Door
from receiver.guard import Guard
from receiver.tokens import Role, Tokens
from tests.receiving import FACE_MODEL, client, serving

HOST = "127.0.0.1:1"
KINDS = ["400", "400", "400", "400", "415", "413", "401", "401"]


def made() -> tuple[Bouncer, list[bytes]]:
    tokens = Tokens()
    requests = bad_joins(HOST, tokens.issue(Role.CALL, 600))
    return Bouncer({"": Door(Guard([]), tokens)}), requests


async def test_a_good_join_succeeds_during_a_flood() -> None:
    tokens, joined = Tokens(), Flooded()
    token = tokens.issue(Role.CALL, 600)
    async with serving(tokens=tokens) as (station, url), client(url) as http:
        port = int(url.rpartition(":")[2])
        requests = bad_joins(f"127.0.0.1:{port}", token)
        flooding = asyncio.create_task(flood_on(("127.0.0.1", port), requests, 200, 2.0))
        await join_on(f"{url}#token={token}", FACE_MODEL, 0.1, joined)
        answers, _ = await flooding
        assert joined.failures == []
        assert len(joined.joins_s) == 1
        assert set(answers) <= {*KINDS, "closed"}
        assert answers.keys() >= {"400", "401", "415"}
        assert station.stats()["state"] == "waiting"
        assert (await http.get("/healthz")).text == "ok\n"


async def test_every_bad_join_gets_its_status() -> None:
    tokens = Tokens()
    async with serving(tokens=tokens) as (_, url):
        port = int(url.rpartition(":")[2])
        for request, status in zip(
            bad_joins(f"127.0.0.1:{port}", tokens.issue(Role.CALL, 600)), KINDS, strict=True
        ):
            answers, _ = await flood_on(("127.0.0.1", port), [request], 20, 0.1)
            assert answers.keys() == {status}


def test_the_bouncer_refuses_what_is_clearly_bad() -> None:
    bouncer, requests = made()
    for request, status in zip(requests, KINDS, strict=True):
        refusal = bouncer.answer(request)
        if status == "413":
            assert refusal is None  # its body has not come; the parser sees to it
        else:
            assert refusal is not None
            head, _, body = refusal.partition(b"\r\n\r\n")
            assert head.startswith(f"HTTP/1.1 {status} ".encode())
            assert b"connection: close" in head
            assert f"content-length: {len(body)}".encode() in head
            assert body.endswith(b"\n")


@pytest.mark.parametrize(
    "change",
    [
        (b"POST /whip", b"POST /stats"),
        (b"POST /whip", b"GET /whip"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Connection: close", b"Transfer-Encoding: chunked"),
        (b"Connection: close", b"Host: again"),
        (b"\r\n\r\n", b"\r\n"),
        (b"hello", b"hell"),
    ],
)
def test_the_bouncer_leaves_the_rest_to_the_parser(change: tuple[bytes, bytes]) -> None:
    bouncer, requests = made()
    assert bouncer.answer(requests[0]) is not None
    assert bouncer.answer(requests[0].replace(*change)) is None


def test_the_bouncer_knows_the_rooms_and_what_opens_each() -> None:
    tokens = Tokens()
    bad = bad_joins(HOST, tokens.issue(Role.CALL, 600))[0]
    doors = {"/1": Door(Guard([]), Tokens()), "/12": Door(Guard([]), tokens)}

    def answer(room: str) -> bytes | None:
        return Bouncer(doors).answer(bad.replace(b"POST /", f"POST {room}/".encode(), 1))

    assert (answer("/12") or b"").startswith(b"HTTP/1.1 400 ")
    assert (answer("/1") or b"").startswith(b"HTTP/1.1 401 ")
    for elsewhere in ("", "/2", "/01", "/1/1"):
        assert answer(elsewhere) is None


def test_a_slow_or_failed_join_is_not_good() -> None:
    assert Flooded(1.0, Counter(), [0.5, 1.9]).is_good
    assert not Flooded(1.0, Counter(), [0.5, 2.1]).is_good
    assert not Flooded(1.0, Counter(), [0.5], ["refused"]).is_good
    assert not Flooded().is_good
