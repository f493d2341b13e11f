"""Which cipher a connection prefers: the one whose records are shortest.

Each DTLS 1.2 record of AES-GCM carries eight bytes of nonce that ChaCha20-Poly1305 (RFC 7905)
takes from the record's number, and at the rates of a call eight bytes a datagram are a twentieth
of all. aiortc has both, AES first; here ChaCha20 is, and a DTLS server goes by its own order. With
a peer that has no ChaCha20 it is AES as before. This file wraps one private method of aiortc's
certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc import RTCPeerConnection
from OpenSSL import SSL

SHORT = "ECDHE-ECDSA-CHACHA20-POLY1305"
# Those of aiortc, in another order.
CIPHERS = (
    SHORT,
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
)


def prefer_short_records(connection: RTCPeerConnection) -> None:
    """Put the cipher of short records first; call before the connection's DTLS begins.

    Args:
        connection: one that has a data channel transport.
    """
    assert connection.sctp is not None
    dtls: Any = connection.sctp.transport
    certificate = dtls._RTCDtlsTransport__local_certificate
    create: Callable[[Any], SSL.Context] = certificate._create_ssl_context

    def created(srtp_profiles: Any) -> SSL.Context:
        context = create(srtp_profiles)
        context.set_cipher_list(":".join(CIPHERS).encode())
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        return context

    certificate._create_ssl_context = created
