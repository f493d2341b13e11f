"""The cipher that connections agree on, with each other and with a peer that prefers another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from OpenSSL import SSL

from shared.short_records import CIPHERS, SHORT, prefer_short_records

AES = "ECDHE-ECDSA-AES128-GCM-SHA256"


async def agreed(caller_prefers: bool, answerer_prefers: bool) -> tuple[str, list[int]]:
    """Connect two ends; returns the cipher, and the sizes of records with 100 bytes in them."""
    caller, answerer = RTCPeerConnection(), RTCPeerConnection()
    channel, heard = caller.createDataChannel("params"), asyncio.Event()
    answerer.on("datachannel", lambda other: other.on("message", lambda _: heard.set()))
    channel.on("open", lambda: channel.send(b"hello"))
    await caller.setLocalDescription(await caller.createOffer())
    if caller_prefers:
        prefer_short_records(caller)
    await answerer.setRemoteDescription(caller.localDescription)
    await answerer.setLocalDescription(await answerer.createAnswer())
    if answerer_prefers:
        prefer_short_records(answerer)
    await caller.setRemoteDescription(answerer.localDescription)
    await heard.wait()
    ciphers, sizes = set(), []
    for end in (caller, answerer):
        assert end.sctp is not None
        dtls: Any = end.sctp.transport
        ciphers.add(dtls._ssl.get_cipher_name())
        dtls._ssl.send(bytes(100))
        sizes.append(len(dtls._ssl.bio_read(1500)))
    await caller.close()
    await answerer.close()
    (cipher,) = ciphers
    return cipher, sizes


async def test_two_ends_of_a_call_have_short_records() -> None:
    cipher, sizes = await agreed(True, True)
    assert cipher == SHORT
    assert sizes == [129, 129]


@pytest.mark.parametrize("caller_prefers", [True, False])
async def test_one_end_is_enough(caller_prefers: bool) -> None:
    cipher, _ = await agreed(caller_prefers, not caller_prefers)
    assert cipher == SHORT


async def test_by_themselves_connections_have_long_records() -> None:
    cipher, sizes = await agreed(False, False)
    assert cipher == AES
    assert sizes == [137, 137]


async def test_with_a_peer_that_has_no_short_ones_it_is_the_old_cipher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.short_records.CIPHERS", (AES,))
    assert (await agreed(True, False))[0] == AES


async def test_the_ciphers_are_those_of_aiortc() -> None:
    connection = RTCPeerConnection()
    connection.createDataChannel("params")
    assert connection.sctp is not None
    dtls: Any = connection.sctp.transport
    context = dtls._RTCDtlsTransport__local_certificate._create_ssl_context(dtls._srtp_profiles)
    theirs = SSL.Connection(context).get_cipher_list()
    assert {name for name in theirs if not name.startswith("TLS_")} == set(CIPHERS)
    await connection.close()
