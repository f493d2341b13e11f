from __future__ import annotations

import asyncio
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from receiver.door import MAX_BODY
from receiver.server import bind
from shared.errors import BadInputError
from shared.transport import CallSender
from tests.receiving import FACE_MODEL, client, serving

SDP = {"content-type": "application/sdp"}


async def test_the_page_and_its_parts_are_served_with_protective_headers() -> None:
    async with serving() as (_, url), client(url) as http:
        for path, kind in [
            ("/", "text/html"),
            ("/app.js", "text/javascript"),
            ("/style.css", "text/css"),
            ("/icon.svg", "image/svg+xml"),
            ("/reference.jpg", "image/jpeg"),
            ("/healthz", "text/plain"),
            ("/metrics", "text/plain"),
            ("/stats", "application/json"),
        ]:
            response = await http.get(path)
            assert response.status_code == 200, path
            assert response.headers["content-type"].startswith(kind)
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "server" not in response.headers
        assert (await http.get("/docs")).status_code == 404
        assert "synthesised from this photograph" in (await http.get("/")).text


@pytest.mark.parametrize("path", ["/whip", "/whep"])
async def test_a_bad_offer_gets_a_status_and_a_sentence(path: str) -> None:
    async with serving() as (station, url), client(url) as http:
        for body, headers, status in [
            (b"v=0", {"content-type": "text/plain"}, 415),
            (b"v=0", {}, 415),
            (b"hello", SDP, 400),
            (b"", SDP, 400),
            (b"v=0\r\n\xff\xfe", SDP, 400),
            (b"v=0\r\n" + b"a=x\r\n" * 3, SDP, 400),
            (b"v" * (MAX_BODY + 1), SDP, 413),
        ]:
            response = await http.post(path, content=body, headers=headers)
            assert response.status_code == status, body[:20]
            assert response.text.count("\n") == 1
            assert response.headers["content-type"].startswith("text/plain")
        assert (await http.get(path)).status_code == 405
        assert (await http.delete(f"{path}/unknown")).status_code == 404
        assert station.stats()["state"] == "waiting"


async def test_a_body_without_a_length_is_capped_while_it_arrives() -> None:
    sent = 0

    async def endless() -> object:
        nonlocal sent
        while sent < 64 * MAX_BODY:
            sent += 4096
            yield b"v" * 4096

    async with serving() as (_, url), client(url) as http:
        response = await http.post("/whip", content=endless(), headers=SDP)
        assert response.status_code == 413


async def test_another_origin_cannot_drive_it() -> None:
    async with serving() as (_, url), client(url) as http:
        for path in ("/whip", "/whep"):
            for headers in ({"origin": "http://evil.example"}, {"origin": "null"}):
                response = await http.post(path, content=b"v=0", headers=SDP | headers)
                assert response.status_code == 403
            response = await http.post(path, content=b"v=0", headers=SDP | {"origin": url})
            assert response.status_code == 400
        rebound = await http.get("/stats", headers={"host": "evil.example"})
        assert rebound.status_code == 403
        options = await http.options("/whip", headers={"origin": "http://evil.example"})
        assert "access-control-allow-origin" not in options.headers


async def test_the_figures_are_plain_and_in_prometheus_form() -> None:
    async with serving() as (_, url), client(url) as http:
        caller = await CallSender.connect(url, timeout=20, face_model=FACE_MODEL)
        stats = (await http.get("/stats")).json()
        for key in ("fps", "payload_kbps", "wire_kbps", "loss", "frames_shown"):
            assert stats[key] == 0
        assert (stats["state"], stats["preset"], stats["engine"]) == ("waiting", "sketch", "test")
        assert stats["latency_ms"] is None
        families = text_string_to_metric_families((await http.get("/metrics")).text)
        samples = {item.name: item.value for family in families for item in family.samples}
        assert samples["headcall_calls_total"] == 1
        assert samples["headcall_live"] == 0
        assert samples["headcall_frames_shown_total"] == 0
        await caller.close("done")


async def test_nonsense_on_the_socket_harms_nobody() -> None:
    async with serving() as (_, url), client(url) as http:
        host, port = url.removeprefix("http://").split(":")
        for noise in (b"\x16\x03\x01\x00\xff" * 50, b"POST /whip HTTP/1.1\r\n\r\n", b"A" * 100_000):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(noise)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 20)
            writer.close()
        assert (await http.get("/healthz")).text == "ok\n"


def test_a_port_in_use_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInputError, match=f"port {port} is in use.*--port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine_is_explained(host: str) -> None:
    with pytest.raises(BadInputError, match="--host"):
        bind(host, 0)
