"""Every place where bytes from strangers are read, in one table for the fuzz to go through."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import io
import struct
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
from aioice import Candidate, ice, stun
from aiortc import rtcsctptransport as sctp
from aiortc.rtp import RtpPacket
from google_crc32c import value as crc32c

from receiver.hearing import Hearing
from receiver.offers import clean_offer
from receiver.tokens import Role, TokenError, Tokens
from shared.datagram_guard import guard_datagrams
from shared.errors import BadInputError
from shared.face_model import FaceModel, FaceModelError
from shared.inbound_guard import PENDING_LIMIT, PIECE_LIMIT, InboundGuard
from shared.latency import Latency
from shared.messages import (
    MESSAGE_LIMIT,
    PROTOCOL_VERSION,
    RESUME_TOKEN_SIZE,
    Accepted,
    Bye,
    Calibration,
    Chunk,
    Hello,
    Ping,
    Reference,
    Refusal,
    Welcome,
    decode,
    encode,
)
from shared.params import EXPRESSION_SIZE, Camera, Frame, Params
from shared.pictures import PEER_MAX_PIXELS, decode_picture
from shared.reference_transfer import Assembly
from shared.sdp import SDP_LIMIT, SignallingError, check_description
from shared.signalling import CallAddress, sentence_of
from shared.tally import Tally
from shared.voice import PACKET_SAMPLES, VoiceEncoder
from shared.voice_inbox import BURST, VoiceInbox, VoicePacket
from shared.wire import PACKET_LIMIT, FrameDecoder, FrameEncoder
from shared.wire_errors import WireError
from shared.wire_table import WireTables

Decode = Callable[[bytes], object]
KIB, MIB = 1024, 1024 * 1024
# A hundred of a decoder's messages meet the same one, so that what it remembers is tried too.
RENEW = 100


@dataclass(frozen=True, slots=True)
class Decoder:
    """One reader of bytes from strangers.

    Attributes:
        name: what reports and saved crashers call it.
        make: makes a fresh one.
        seeds: good messages to damage.
        refusals: what it may raise.
        share: how many of a million messages it gets: less where one takes longer.
        peak: bytes that reading one message may take at most.
        lines: lines of Python that reading one message may run at most: work is bounded by what
            is counted, so that no slow machine fails the test. 20,000 take below 10 ms.
        longest: bytes of a damaged message.
        cap: bytes that its caller lets through at most.
    """

    name: str
    make: Callable[[], Decode]
    seeds: Callable[[], Sequence[bytes]]
    refusals: tuple[type[Exception], ...]
    share: int
    peak: int
    lines: int = 20_000
    longest: int = 2048
    cap: int = MESSAGE_LIMIT

    def bombs(self) -> list[bytes]:
        """Return messages as large as they come."""
        repeated = [*self.seeds(), b"\0", b"\xff", b"[", b'{"a":', b"a=\n", b"\x81\xa1t"]
        return [(piece * (self.cap // len(piece) + 1))[: self.cap] for piece in repeated]


DIGEST = "0f" * 32
DESCRIPTION = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
    "a=sctp-port:5000\r\na=max-message-size:65536\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host\r\na=end-of-candidates\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefabcdefabcdefabcdef\r\n"
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\na=setup:actpass\r\n"
)
WATCH = (
    DESCRIPTION.replace("UDP/DTLS/SCTP webrtc-datachannel", "UDP/TLS/RTP/SAVPF 96")
    .replace("m=application", "m=video")
    .replace("a=sctp-port:5000\r\na=max-message-size:65536", "a=recvonly\r\na=rtpmap:96 VP8/90000")
)


def track(count: int) -> list[Frame]:
    """Return a smooth random track of a face, 40 ms a frame."""
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0, 0.05, (count, EXPRESSION_SIZE)), axis=0).astype(np.float32)
    turn = np.cumsum(rng.normal(0, 0.01, (count, 3)), axis=0).astype(np.float32)
    place = np.array([0.5, 0.5, 0], np.float32)
    return [Frame(i, 40 * i, Params(walk[i], Camera(-1.0, turn[i], place))) for i in range(count)]


def _session() -> Decode:
    def read(data: bytes) -> object:
        message = decode(data)
        return message.params() if isinstance(message, Calibration) else message

    return read


def _session_seeds() -> list[bytes]:
    return [
        encode(message)
        for message in (
            Hello(PROTOCOL_VERSION, "ab" * 8),
            Welcome(PROTOCOL_VERSION, True, bytes(RESUME_TOKEN_SIZE)),
            Refusal("version", "another version"),
            Reference(1000, DIGEST, "image/webp"),
            Chunk(0, bytes(range(100))),
            Accepted(DIGEST),
            Calibration.of(track(1)[0].params),
            Ping(1.5, -1.0, 0.0, 3, 1),
            Bye("the clip ended", 250),
        )
    ]


def _frames() -> Decode:
    decoder = FrameDecoder()

    def read(data: bytes) -> object:
        frames = decoder.decode(data)
        # What the renderer would get.
        assert all(np.isfinite(frame.params.to_vector()).all() for frame in frames)
        return frames

    return read


def _frame_seeds() -> list[bytes]:
    packets, frames = [], track(32)
    for latency in Latency:
        encoder = FrameEncoder(latency.key_packets, latency.coarse)
        count = latency.frames
        packets += [encoder.encode(frames[i : i + count]) for i in range(0, 32 - count, count)]
    return packets


def _transfer() -> Decode:
    """Read ``size:u16`` and then pieces ``offset:u16 length:u8 bytes``, as msgpack would."""

    def read(data: bytes) -> object:
        if len(data) < 2:
            return None
        size = 1 + int.from_bytes(data[:2], "big")
        assembly = Assembly(Reference(size, hashlib.sha256(data[5:]).hexdigest(), "image/png"))
        at = 2
        while at + 3 < len(data):
            offset, length = struct.unpack_from("!HB", data, at)
            piece = data[at + 3 : at + 3 + max(1, length)]
            done = assembly.add(Chunk(offset, piece))
            assert len(assembly.data()) <= size
            if done:
                break
            at += 3 + len(piece)
        return assembly

    return read


def _transfer_seeds() -> list[bytes]:
    photograph = bytes(range(200))
    whole = struct.pack("!HHB", 199, 0, 200) + photograph
    halves = struct.pack("!HHB", 199, 0, 100) + photograph[:100]
    return [whole, halves + struct.pack("!HB", 100, 100) + photograph[100:]]


def _text(read: Callable[[str], object]) -> Callable[[], Decode]:
    return lambda: lambda data: read(data.decode("utf-8", "replace"))


def _picture_seeds() -> list[bytes]:
    image = PIL.Image.effect_mandelbrot((24, 24), (-2, -1.5, 1, 1.5), 20).convert("RGB")
    seeds = []
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        image.save(buffer, kind)
        seeds.append(buffer.getvalue())
    return seeds


def _token() -> Decode:
    tokens = _tokens()
    return lambda data: tokens.check(Role.CALL, data.decode("latin-1"))


@lru_cache
def _tokens() -> Tokens:
    return Tokens()


def _token_seeds() -> list[bytes]:
    tokens = [_tokens().issue(role, 600) for role in Role]
    unsigned = "eyJhbGciOiJub25lIn0." + tokens[0].split(".")[1] + "."
    return [f"Bearer {token}".encode() for token in (*tokens, unsigned)]


def _addresses() -> list[bytes]:
    return [
        b"http://localhost:8080",
        b"https://example.org/calls#token=abc.def.ghi",
        b"http://[fd00::1]:8080/",
    ]


class _Transport:
    """Stands for DTLS under an SCTP transport: takes what is sent and drops it."""

    state = "connected"

    async def _send_data(self, data: bytes) -> None:
        pass


class _NoClock:
    """Stands for the event loop under an SCTP transport: its timers never run out."""

    def call_later(self, *_: object) -> Any:
        """Return a handle that can be cancelled."""
        return self

    def cancel(self) -> None:
        pass


@lru_cache
def _new_transport() -> Any:
    """Return an established association that nobody has talked to."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    transport: Any = sctp.RTCSctpTransport(_Transport())  # type: ignore[arg-type]
    asyncio.set_event_loop(None)
    loop.close()
    transport._loop = _NoClock()
    transport._association_state = sctp.RTCSctpTransport.State.ESTABLISHED
    transport._last_received_tsn, transport._inbound_streams_count = 0, 65535
    return transport


class _Association:
    """A connection, as far as the guard looks at one, and whether it has reported its peer."""

    def __init__(self) -> None:
        made = _new_transport()
        self.sctp: Any = object.__new__(type(made))
        fresh = {
            name: copy.copy(value) if isinstance(value, dict | list | set | deque) else value
            for name, value in vars(made).items()
        }
        self.sctp.__dict__.update(fresh)
        self.is_over = False
        InboundGuard(self, self._report)  # type: ignore[arg-type]

    def _report(self, _: str) -> None:
        self.is_over = True


def _packets() -> Decode:
    association = _Association()

    def read(data: bytes) -> object:
        nonlocal association
        if association.is_over:
            association = _Association()
        if len(data) < 12:
            return None
        transport = association.sctp
        # Peers can sign what they send: tag and checksum are right whatever else is wrong.
        tag = 0 if data[12:13] == b"\x01" else transport._local_verification_tag
        head = data[:4] + tag.to_bytes(4, "big")
        checksum = crc32c(head + bytes(4) + data[12:]).to_bytes(4, "little")
        run = transport._handle_data(head + checksum + data[12:])
        # Nothing in it waits: one step takes it to its end.
        try:
            run.send(None)
        except StopIteration:
            pass
        finally:
            run.close()
        held = [
            chunk for stream in transport._inbound_streams.values() for chunk in stream.reassembly
        ]
        assert sum(len(chunk.user_data) for chunk in held) <= PENDING_LIMIT
        assert len(held) <= PIECE_LIMIT
        return None

    return read


def _packet_seeds() -> list[bytes]:
    def data(tsn: int, flags: int, protocol: int, body: bytes) -> sctp.DataChunk:
        chunk = sctp.DataChunk(flags=flags)
        chunk.tsn, chunk.protocol, chunk.user_data = tsn, protocol, body
        return chunk

    forward = sctp.ForwardTsnChunk()
    forward.cumulative_tsn, forward.streams = 7, [(0, 1), (1, 2)]
    sack = sctp.SackChunk()
    sack.cumulative_tsn, sack.advertised_rwnd, sack.gaps = 1, 65536, [(2, 3)]
    heartbeat = sctp.HeartbeatChunk()
    heartbeat.params = [(1, b"12345678")]
    reset = sctp.ReconfigChunk()
    reset.params = [(13, struct.pack("!LLLH", 1, 2, 3, 0))]
    start = sctp.InitChunk()
    start.initiate_tag, start.params = 5, [(0xC000, b""), (0x8008, b"\xc0\x82")]
    opening = struct.pack("!BBHLHH", 3, 0, 0, 0, 9, 0) + b"reference"
    chunks = [
        data(1, 3, 50, opening),
        data(2, 3, 53, b"binary"),
        data(3, 3, 51, b"text"),
        data(4, 2, 53, bytes(100)),
        data(6, 7, 53, b""),
        *(forward, sack, heartbeat, reset, start, sctp.AbortChunk(), sctp.ShutdownChunk()),
    ]
    return [sctp.serialize_packet(5000, 5000, 0, chunk) for chunk in chunks]


def _sound() -> Decode:
    heard: list[VoicePacket] = []
    transport: Any = SimpleNamespace()
    connection: Any = SimpleNamespace(sctp=SimpleNamespace(transport=transport))
    inbox = VoiceInbox(connection, heard.append)
    hearing = Hearing(lambda packet, at_ms: None, lambda spoken_ms: spoken_ms)
    link = Tally().stats(None, 0.0)  # without a clock nothing is played, which needs a loop

    def read(data: bytes) -> object:
        inbox._room = BURST
        run = transport._handle_rtp_data(data, arrival_time_ms=0)
        with contextlib.suppress(StopIteration):
            run.send(None)
        for packet in heard:
            hearing.take(packet, link)
        heard.clear()
        return hearing.features(0.0)

    return read


def _sound_seeds() -> list[bytes]:
    noise = np.random.default_rng(1).normal(0, 3000, (4, PACKET_SAMPLES)).astype(np.int16)
    encoder, made = VoiceEncoder(), []
    for number, samples in enumerate(noise):
        at = number * PACKET_SAMPLES
        if (packet := encoder.encode(samples, at)) is not None:
            rtp = RtpPacket(96, 0, number, at, 7, bytes(packet))
            made.append(rtp.serialize())
    return made


class _Agent:
    """Stands for aioice's connection behind a socket."""

    local_candidate = None

    def data_received(self, data: bytes, component: int) -> None:
        assert data, "aiortc falls over an empty datagram"

    def request_received(self, message: stun.Message, address: object, protocol: object) -> None:
        pass


@dataclass
class _Socket:
    _protocols: list[Any]

    @property
    def transport(self) -> Any:
        """What the guard reaches through: DTLS over ICE over sockets."""
        return self

    @property
    def _connection(self) -> Any:
        return self


def _datagrams() -> Decode:
    protocol: Any = ice.StunProtocol.__new__(ice.StunProtocol)
    protocol.receiver, protocol.transactions = _Agent(), {}
    protocol.local_candidate = Candidate.from_sdp("1 1 udp 1 192.0.2.1 9 typ host")
    protocol._StunProtocol__log_debug = lambda *_: None
    guard_datagrams(_Socket([protocol]))
    return lambda data: protocol.datagram_received(data, ("192.0.2.2", 5000))


def _datagram_seeds() -> list[bytes]:
    check = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=stun.Class.REQUEST,
        attributes={"USERNAME": "abcd:efgh", "PRIORITY": 1, "ICE-CONTROLLING": 7},
    )
    plain = bytes(check)
    check.add_message_integrity(b"secret")
    return [plain, bytes(check), b"\x17\xfe\xfd" + bytes(40)]


def _face_model() -> Decode:
    path = Path(tempfile.mkstemp(".safetensors")[1])

    def read(data: bytes) -> object:
        path.write_bytes(data)
        try:
            return FaceModel.load(path)
        finally:
            path.unlink(missing_ok=True)

    return read


def _asset(name: str) -> bytes:
    return (resources.files("shared") / "assets" / name).read_bytes()


def _wire_table_seeds() -> list[bytes]:
    table = next(resources.files("shared").joinpath("assets").glob("wire-*.json"))  # type: ignore[attr-defined]
    return [table.read_bytes()]


DECODERS = (
    Decoder("session", _session, _session_seeds, (WireError,), 540_000, 4 * MESSAGE_LIMIT),
    Decoder(
        "frame",
        _frames,
        _frame_seeds,
        (WireError,),
        100_000,
        64 * KIB,
        longest=PACKET_LIMIT + 8,
    ),
    Decoder("transfer", _transfer, _transfer_seeds, (WireError,), 50_000, 4 * MESSAGE_LIMIT),
    Decoder("packet", _packets, _packet_seeds, (), 80_000, MIB, longest=1200, cap=1500),
    Decoder("sound", _sound, _sound_seeds, (), 10_000, MIB, longest=1200, cap=1500),
    Decoder("datagram", _datagrams, _datagram_seeds, (), 50_000, MIB),
    Decoder(
        "offer",
        _text(check_description),
        lambda: [DESCRIPTION.encode()],
        (SignallingError,),
        30_000,
        MIB,
    ),
    Decoder(
        "watch-offer", _text(clean_offer), lambda: [WATCH.encode()], (SignallingError,), 50_000, MIB
    ),
    Decoder(
        "refusal",
        _text(sentence_of),
        lambda: [b'{"detail": "taken"}', b"<html>", b"in a call"],
        (),
        50_000,
        MIB,
        cap=SDP_LIMIT,
    ),
    Decoder(
        "address", _text(CallAddress.parse), _addresses, (BadInputError,), 19_000, MIB, cap=8 * KIB
    ),
    Decoder("token", _token, _token_seeds, (TokenError,), 20_000, 256 * KIB, cap=16 * KIB),
    Decoder(
        "picture",
        lambda: lambda data: decode_picture(data, PEER_MAX_PIXELS),
        _picture_seeds,
        (BadInputError,),
        900,
        64 * MIB,
        cap=MIB,
    ),
    # Files of ours, read at the start: damaged ones shall end in a sentence too.
    Decoder(
        "wire-table",
        _text(WireTables.parse),
        _wire_table_seeds,
        (ValueError,),
        50,
        64 * MIB,
        lines=200_000,
        longest=64 * KIB,
    ),
    Decoder(
        "face-model",
        _face_model,
        lambda: [_asset("face_model.safetensors")],
        (FaceModelError,),
        50,
        64 * MIB,
        longest=4 * MIB,
        cap=4 * MIB + 1,
    ),
)
