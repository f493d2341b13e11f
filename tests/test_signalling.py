"""Joining over HTTP, and what is refused before it reaches aiortc."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection
from fastapi import FastAPI, Request, Response
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.call_receiver import CallReceiver
from shared.errors import BadInputError, UnreachableError
from shared.sdp import SDP_LIMIT, without_extensions
from shared.signalling import CallAddress, SignallingError, check_description, join, leave
from tests.sending import Recorder, serving

SDPS = Path(__file__).parent / "fixtures" / "malformed"
GOOD = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
    "a=sctp-port:5000\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefabcdefabcdefabcdef\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\na=setup:actpass\r\n"
)


def app_answering(status: int, body: str, headers: dict[str, str] | None = None) -> FastAPI:
    app = FastAPI()

    @app.post("/whip")
    async def whip() -> Response:
        return Response(body, status, headers, "application/sdp")

    return app


async def offer() -> str:
    connection = RTCPeerConnection()
    connection.createDataChannel("reference")
    await connection.setLocalDescription(await connection.createOffer())
    text: str = connection.localDescription.sdp
    await connection.close()
    return text


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost:8080", "ftp://host", "http://", "http://[::1", "http://a@b", "http://h?q"),
        *("http://h/#part", "http://h/#token=", "http://h/#token=a b", "http://h/#token=a%0d%0ab"),
        "http://" + "h" * 3000,
    ],
)
def test_what_is_no_address_is_bad_input(text: str) -> None:
    with pytest.raises(BadInputError, match="http://localhost:8080"):
        CallAddress.parse(text)


@pytest.mark.parametrize(
    ("text", "whip"),
    [
        ("http://localhost:8080", "http://localhost:8080/whip"),
        ("http://localhost:8080/", "http://localhost:8080/whip"),
        ("https://host/calls/", "https://host/calls/whip"),
    ],
)
def test_addresses_lead_to_whip(text: str, whip: str) -> None:
    assert str(CallAddress.parse(text).whip) == whip


def test_a_link_brings_its_token_and_never_shows_it() -> None:
    address = CallAddress.parse("https://host:8443/#token=abc.d-f.g_i")
    assert address.token == "abc.d-f.g_i"
    assert str(address.whip) == "https://host:8443/whip"
    assert "abc" not in f"{address} {address!r}"


async def test_the_token_is_sent_as_a_bearer() -> None:
    app, seen = FastAPI(), []

    @app.post("/whip")
    async def whip(request: Request) -> Response:
        seen.append(request.headers.get("authorization"))
        return Response(GOOD, 201, media_type="application/sdp")

    async with serving(app) as url:
        await join(CallAddress.parse(f"{url}#token=abc.def"), GOOD, 5)
        await join(CallAddress.parse(url), GOOD, 5)
    assert seen == ["Bearer abc.def", None]


async def test_a_receiver_that_is_overloaded_is_asked_again() -> None:
    app, asked = FastAPI(), 0

    @app.post("/whip")
    async def whip() -> Response:
        nonlocal asked
        asked += 1
        if asked < 3:
            return Response("later", 503, {"retry-after": "0"}, "text/plain")
        return Response(GOOD, 201, media_type="application/sdp")

    async with serving(app) as url:
        assert (await join(CallAddress.parse(url), GOOD, 5)).answer == GOOD
    assert asked == 3


@pytest.mark.parametrize("after", ["100", "soon", "-1", ""])
async def test_it_is_not_waited_for_longer_than_joining_may_take(after: str) -> None:
    async with serving(app_answering(503, "later", {"retry-after": after})) as url:
        with pytest.raises(UnreachableError, match="503: later"):
            await join(CallAddress.parse(url), GOOD, 1)


async def test_a_file_that_holds_no_certificates_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(BadInputError, match="--ca"):
        await join(CallAddress.parse("https://127.0.0.1:1", path), GOOD, 1)
    with pytest.raises(BadInputError, match="--ca"):
        await join(CallAddress.parse("https://127.0.0.1:1", tmp_path / "no.pem"), GOOD, 1)


async def test_an_answer_brings_its_location() -> None:
    async with serving(app_answering(201, GOOD, {"location": "/whip/7"})) as url:
        joined = await join(CallAddress.parse(url), GOOD, 5)
    assert joined.answer == GOOD
    assert str(joined.location) == f"{url}/whip/7"


async def test_a_location_elsewhere_is_not_followed() -> None:
    async with serving(app_answering(201, GOOD, {"location": "http://10.0.0.1/x"})) as url:
        assert (await join(CallAddress.parse(url), GOOD, 5)).location is None


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (409, "somebody else is calling already", "somebody else is calling already"),
        (409, '{"detail": "taken"}', "taken"),
        (500, "<html>oops</html>", "status 500"),
        (404, "", "no HeadCall receiver"),
        (201, "hello", "no HeadCall receiver"),
        (201, "x" * (SDP_LIMIT + 1), "too long"),
        (401, "this link has expired", "refused the call: this link has expired"),
        (400, "[" * 20000, "status 400"),
        (409, "a\x1b[31mred\x07", "refused the call: a [31mred"),
    ],
)
async def test_other_answers_are_refusals_with_a_sentence(
    status: int, body: str, sentence: str
) -> None:
    async with serving(app_answering(status, body)) as url:
        with pytest.raises(UnreachableError) as caught:
            await join(CallAddress.parse(url), GOOD, 5)
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 3


async def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match="nobody listens"):
        await join(CallAddress.parse(f"http://127.0.0.1:{port}"), GOOD, 5)


async def test_silence_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UnreachableError, match="did not answer"):
            await join(CallAddress.parse(f"http://127.0.0.1:{port}"), GOOD, 0.2)


async def test_leaving_a_server_that_is_gone_is_no_error() -> None:
    address = CallAddress.parse("http://127.0.0.1:1")
    await leave(address, address.whip)


SOUND = "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 opus/48000/2\r\n"


def test_a_good_description_passes() -> None:
    check_description(GOOD)
    check_description(GOOD + SOUND)


def test_one_sound_is_enough() -> None:
    with pytest.raises(SignallingError, match="at most one of sound"):
        check_description(GOOD + SOUND + SOUND)


def test_header_extensions_are_left_out() -> None:
    extended = SOUND + "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    assert without_extensions(GOOD + extended) == GOOD + SOUND


@pytest.mark.parametrize(
    "change",
    [
        ("v=0", "v=1"),
        ("m=application", "m=video"),
        ("webrtc-datachannel", "rtp"),
        ("a=ice-pwd", "a=nothing"),
        ("a=fingerprint", "a=nothing"),
        ("a=mid:0\r\n", "a=mid:0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
        ("a=mid:0\r\n", "a=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n" * 65),
        ("a=mid:0", "nonsense"),
        ("a=mid:0", "a=" + "x" * 600),
    ],
)
def test_other_descriptions_are_refused(change: tuple[str, str]) -> None:
    with pytest.raises(SignallingError) as caught:
        check_description(GOOD.replace(*change))
    assert caught.value.status == 400


def test_a_long_description_has_its_own_status() -> None:
    with pytest.raises(SignallingError) as caught:
        check_description(GOOD + "a=x\r\n" * SDP_LIMIT)
    assert caught.value.status == 413


@pytest.mark.parametrize("path", sorted(SDPS.glob("offer-*")), ids=lambda path: path.stem)
async def test_malformed_offer_files_are_refused(path: Path) -> None:
    text = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(SignallingError):
        await CallReceiver.answer(text.decode(), Recorder())


async def test_damaged_real_offers_are_refused_or_answered() -> None:
    lines = (await offer()).splitlines()
    for index in range(len(lines)):
        text = "\r\n".join(lines[:index] + lines[index + 1 :]) + "\r\n"
        try:
            call, _ = await CallReceiver.answer(text, Recorder())
        except SignallingError:
            continue
        await call.close("the test is over")


@given(st.text(max_size=300), st.integers(0, len(GOOD)))
@settings(max_examples=100, deadline=None)
def test_random_descriptions_raise_only_signalling_errors(text: str, where: int) -> None:
    with contextlib.suppress(SignallingError):
        check_description(GOOD[:where] + text + GOOD[where:])
