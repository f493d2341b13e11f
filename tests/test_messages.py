"""Session messages: round trips, caps, and files of malformed ones."""

from __future__ import annotations

from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.messages import (
    CHUNK_LIMIT,
    MESSAGE_LIMIT,
    REFERENCE_LIMIT,
    TEXT_LIMIT,
    Accepted,
    Bye,
    Calibration,
    Chunk,
    Hello,
    Message,
    Ping,
    Reference,
    Refusal,
    Welcome,
    decode,
    encode,
)
from shared.wire_errors import (
    FieldTypeError,
    FieldValueError,
    NotMsgpackError,
    TooLongError,
    WireError,
)
from tests.sending import track

MALFORMED = Path(__file__).parent / "fixtures" / "malformed"
DIGEST = "0f" * 32

MESSAGES: list[Message] = [
    Hello(1, "abcdef0123456789"),
    Welcome(1, True, bytes(32)),
    Refusal("version", "another version"),
    Reference(REFERENCE_LIMIT, DIGEST, "image/webp"),
    Chunk(0, bytes(CHUNK_LIMIT)),
    Accepted(DIGEST),
    Calibration.of(track(1)[0]),
    Ping(1.5, -1.0, 0.0, 3, 1),
    Bye("the clip ended", 250),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_comes_back(message: Message) -> None:
    assert decode(encode(message)) == message
    assert len(encode(message)) <= MESSAGE_LIMIT


def test_calibration_carries_the_exact_floats() -> None:
    params = track(1)[0]
    message = decode(encode(Calibration.of(params)))
    assert isinstance(message, Calibration)
    assert np.array_equal(message.params().to_vector(), params.to_vector())


def test_calibration_with_nan_is_refused() -> None:
    message = Calibration(np.full(35, np.nan, "<f4").tobytes())
    with pytest.raises(FieldValueError):
        message.params()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (Reference(REFERENCE_LIMIT + 1, DIGEST, "image/webp"), FieldValueError),
        (Reference(0, DIGEST, "image/webp"), FieldValueError),
        (Reference(1, DIGEST, "image/gif"), FieldValueError),
        (Reference(1, DIGEST.upper(), "image/webp"), FieldValueError),
        (Chunk(0, bytes(CHUNK_LIMIT + 1)), TooLongError),
        (Chunk(-1, b"x"), FieldValueError),
        (Bye("x" * (TEXT_LIMIT + 1), 0), TooLongError),
        (Ping(float("nan"), -1.0, 0.0, 0, 0), FieldValueError),
        (Ping(float("inf"), -1.0, 0.0, 0, 0), FieldValueError),
        (Hello(True, "abcdef01"), FieldTypeError),
        (Refusal("whim", "no"), FieldValueError),
        (Welcome(2, True, bytes(31)), FieldValueError),
    ],
)
def test_what_could_not_be_decoded_is_never_sent(message: Message, error: type[WireError]) -> None:
    with pytest.raises(error):
        encode(message)


def test_a_message_over_the_cap_is_refused_before_unpacking() -> None:
    with pytest.raises(TooLongError):
        decode(bytes(MESSAGE_LIMIT + 1))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(NotMsgpackError):
        decode(b"\x81\xa1t" * 20000 + b"\xc0")


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_only_wire_errors(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=40),
    st.binary(max_size=200),
)  # fmt: skip
NAMES = ["hello", "welcome", "refusal", "reference", "chunk", "accepted", "calibration", "ping"]


@given(
    st.sampled_from([*NAMES, "bye", "nonsense"]),
    st.dictionaries(
        st.sampled_from(["version", "face_model", "ms", "echo_ms", "sent", "reason", "data", "x"]),
        VALUES,
    ),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_well_formed_maps_decode_or_raise_wire_errors(name: str, fields: dict[str, object]) -> None:
    data = msgpack.packb({"t": name, **fields})
    try:
        message = decode(data)
    except WireError:
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize("path", sorted(MALFORMED.glob("session-*")), ids=lambda path: path.stem)
def test_malformed_message_files_are_refused(path: Path) -> None:
    with pytest.raises(WireError) as caught:
        decode(path.read_bytes())
    assert type(caught.value).__name__ == path.stem.split("-")[1]
