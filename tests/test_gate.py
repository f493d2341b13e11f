"""What is refused at the door, over real HTTP, and who gets through with a link."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import httpx
import pytest

from receiver.server import Tls
from receiver.tokens import Role, Tokens
from shared.errors import UnreachableError
from shared.link_config import LinkSettings
from shared.transport import CallSender
from tests.receiving import FACE_MODEL, client, params, serving
from tests.test_call import Seen, send
from tests.test_whep import Viewer

SDP = {"content-type": "application/sdp"}
HOUR_S = 3600.0


async def test_without_a_token_nothing_is_called_or_watched() -> None:
    tokens = Tokens()
    async with serving(tokens=tokens) as (_, url), client(url) as http:
        for method, path in [
            ("POST", "/whip"),
            ("POST", "/whep"),
            ("GET", "/stats"),
            ("GET", "/reference.jpg"),
        ]:
            response = await http.request(method, path, headers=SDP)
            assert response.status_code == 401, path
            assert response.headers["www-authenticate"] == "Bearer"
            assert "whole link" in response.text
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        for path in ("/", "/app.js", "/healthz", "/metrics"):
            assert (await http.get(path)).status_code == 200, path


async def test_a_viewers_token_watches_and_does_not_call() -> None:
    tokens, viewer = Tokens(), Viewer()
    ticket = {"authorization": f"Bearer {tokens.issue(Role.WATCH, HOUR_S)}"}
    async with serving(tokens=tokens) as (station, url), client(url) as http:
        assert (await http.get("/stats", headers=ticket)).status_code == 200
        assert (await http.get("/reference.jpg", headers=ticket)).status_code == 200
        offer = await viewer.offer()
        response = await http.post("/whep", content=offer, headers=SDP | ticket)
        assert response.status_code == 201
        assert len(station.watchers) == 1
        assert (await http.delete(response.headers["location"])).status_code == 200
        refused = await http.post("/whip", content=offer, headers=SDP | ticket)
        assert refused.status_code == 401
        assert "not one to call with" in refused.text
    await viewer.connection.close()


async def test_a_link_is_good_for_one_call() -> None:
    tokens, seen = Tokens(), Seen()
    async with serving(tokens=tokens, sinks=(seen,)) as (station, url):
        link = f"{url}/#token={tokens.issue(Role.CALL, HOUR_S)}"
        caller = await CallSender.connect(link, timeout=20, face_model=FACE_MODEL)
        await caller.send_calibration(params())
        await send(caller, seen, 0, 1)
        await caller.close("done")
        await asyncio.wait_for(station.call_ended.wait(), 20)
        with pytest.raises(UnreachableError, match="for a call that is over"):
            await CallSender.connect(link, timeout=20, face_model=FACE_MODEL)
        with pytest.raises(UnreachableError, match="wants its whole link"):
            await CallSender.connect(url, timeout=20, face_model=FACE_MODEL)
        again = f"{url}/#token={tokens.issue(Role.CALL, HOUR_S)}"
        await (await CallSender.connect(again, timeout=20, face_model=FACE_MODEL)).close("done")


async def test_a_declared_length_is_refused_before_the_body_is_read() -> None:
    async with serving() as (_, url):
        host, port = url.removeprefix("http://").split(":")
        for length in (b"1000000", b"99999999999999999999", b"-1"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /whip HTTP/1.1\r\nHost: " + host.encode() + b"\r\n"
                b"Content-Type: application/sdp\r\nContent-Length: " + length + b"\r\n\r\n"
            )
            head = await asyncio.wait_for(reader.readline(), 20)
            assert b" 413 " in head or b" 400 " in head
            writer.close()


async def test_an_endless_body_is_not_read_where_none_is_wanted() -> None:
    sent = 0

    async def endless() -> object:
        nonlocal sent
        while True:
            sent += 4096
            yield bytes(4096)

    async with serving() as (_, url), client(url) as http:
        for method, path in [("DELETE", "/whip/x"), ("GET", "/stats"), ("POST", "/nowhere")]:
            try:
                response = await http.request(method, path, content=endless())
                assert response.status_code < 500
            except httpx.TransportError:
                pass  # closed in the middle of the body: the answer may be lost with it
        assert (await http.get("/healthz")).text == "ok\n"
    assert sent < 50_000_000


def authority(folder: Path) -> tuple[Path, Tls]:
    """Make an authority and a certificate it signed for 127.0.0.1."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ours")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", *new, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=receiver")
    openssl(
        *("x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-extfile", "names", "-out", "tls.pem"),
    )
    return folder / "ca.pem", Tls(folder / "tls.pem", folder / "tls.key")


async def test_a_call_over_tls_checks_the_certificate(tmp_path: Path) -> None:
    ca_file, tls = await asyncio.to_thread(authority, tmp_path)
    tls.check()
    async with serving(tls=tls) as (_, url):
        assert url.startswith("https://")
        with pytest.raises(UnreachableError, match=r"not trusted.*--ca"):
            await CallSender.connect(url, timeout=20, face_model=FACE_MODEL)
        trusting = LinkSettings(ca_file=ca_file)
        caller = await CallSender.connect(url, timeout=20, face_model=FACE_MODEL, settings=trusting)
        await caller.close("done")


async def test_https_where_http_is_served_is_explained() -> None:
    async with serving() as (_, url):
        address = url.replace("http://", "https://")
        with pytest.raises(UnreachableError, match="does not speak TLS"):
            await CallSender.connect(address, timeout=20, face_model=FACE_MODEL)
