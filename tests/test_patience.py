"""Silent, slow and too many connections."""

from __future__ import annotations

import asyncio

import pytest

from receiver import patience
from tests.receiving import client, serving


async def open_to(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 20) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 0.2)
    async with serving() as (_, url):
        reader, writer = await open_to(url)
        writer.write(said)
        assert await is_closed(reader)
        writer.close()


async def test_a_busy_connection_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 0.3)
    async with serving() as (_, url):
        reader, writer = await open_to(url)
        for _ in range(6):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"200" in await reader.readline()
            await reader.readuntil(b"ok\n")
            await asyncio.sleep(0.1)
        writer.close()


async def test_the_stalest_of_too_many_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "CONNECTIONS", 8)
    async with serving() as (_, url), client(url) as http:
        silent = [await open_to(url) for _ in range(20)]
        assert (await http.get("/healthz")).text == "ok\n"
        closed = [await is_closed(reader) for reader, _ in silent[:12]]
        assert all(closed)
        for _, writer in silent:
            writer.close()
