"""The session messages of a call: msgpack maps on the ordered, reliable channel.

Every message is a map ``{"t": type, field: value, ...}``. Each type is a frozen dataclass below;
its annotations are the schema, its metadata the caps, and both directions go through the same
checks. Nothing here allocates more than :data:`MESSAGE_LIMIT` bytes for what a peer sent.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np

from shared.params import PARAMS_SIZE, Params, ParamsError
from shared.wire_errors import (
    ExtraFieldError,
    FieldTypeError,
    FieldValueError,
    MissingFieldError,
    NotMsgpackError,
    TooLongError,
    UnknownTypeError,
    WireError,
)

PROTOCOL_VERSION = 6
MESSAGE_LIMIT = 64 * 1024
CHUNK_LIMIT = 16 * 1024
REFERENCE_LIMIT = 1024 * 1024
TEXT_LIMIT = 500
FIELD_LIMIT = 16
# Over 30,000 years of milliseconds: float64 still tells one from the next.
CLOCK_LIMIT_MS = 1e15
COUNT_LIMIT = 2**53
RESUME_TOKEN_SIZE = 32

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
REFUSALS = ("version", "face_model", "reference", "busy")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{8,128}")

Check = Callable[[Any], str | None]


def _text(pattern: re.Pattern[str] | None = None, one_of: tuple[str, ...] = ()) -> Check:
    def check(value: str) -> str | None:
        if len(value) > TEXT_LIMIT:
            return f"is longer than {TEXT_LIMIT} characters"
        if pattern is not None and not pattern.fullmatch(value):
            return "is not hexadecimal of the right length"
        if one_of and value not in one_of:
            return f"must be one of {', '.join(one_of)}"
        return None

    return check


def _between(low: float, high: float) -> Check:
    def check(value: float) -> str | None:
        if math.isfinite(value) and low <= value <= high:
            return None
        return f"must lie between {low:g} and {high:g}"

    return check


def _size(low: int, high: int) -> Check:
    def check(value: bytes) -> str | None:
        return None if low <= len(value) <= high else f"must hold {low} to {high} bytes"

    return check


def _checked(check: Check) -> Any:
    return field(metadata={"check": check})


@dataclass(frozen=True, slots=True)
class Hello:
    """The sender's first message.

    Attributes:
        version: protocol version, :data:`PROTOCOL_VERSION`.
        face_model: fingerprint of the face model the 35 floats belong to, hexadecimal.
    """

    version: int = _checked(_between(0, 255))
    face_model: str = _checked(_text(_FINGERPRINT))


@dataclass(frozen=True, slots=True)
class Welcome:
    """The receiver's answer to :class:`Hello`.

    Attributes:
        version: the receiver's protocol version.
        wants_reference: whether it needs the sender's photograph.
        resume_token: what later offers of this call are signed with (`shared.claim`).
    """

    version: int = _checked(_between(0, 255))
    wants_reference: bool = _checked(lambda _: None)
    resume_token: bytes = _checked(_size(RESUME_TOKEN_SIZE, RESUME_TOKEN_SIZE))


@dataclass(frozen=True, slots=True)
class Refusal:
    """The receiver will not take the call, or not the reference.

    Attributes:
        code: ``version``, ``face_model``, ``reference`` or ``busy``.
        message: a sentence for the sender's user.
    """

    code: str = _checked(_text(one_of=REFUSALS))
    message: str = _checked(_text())


@dataclass(frozen=True, slots=True)
class Reference:
    """Announces the photograph that follows in chunks.

    Attributes:
        size: bytes in all, at most :data:`REFERENCE_LIMIT`.
        sha256: digest of them, 64 hexadecimal digits.
        mime: one of :data:`IMAGE_TYPES`.
    """

    size: int = _checked(_between(1, REFERENCE_LIMIT))
    sha256: str = _checked(_text(_SHA256))
    mime: str = _checked(_text(one_of=IMAGE_TYPES))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the photograph; pieces come in order and without gaps.

    Attributes:
        offset: where it starts, bytes.
        data: 1 to :data:`CHUNK_LIMIT` bytes.
    """

    offset: int = _checked(_between(0, REFERENCE_LIMIT))
    data: bytes = _checked(_size(1, CHUNK_LIMIT))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver has checked the photograph and uses it.

    Attributes:
        sha256: the digest it was announced with.
    """

    sha256: str = _checked(_text(_SHA256))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The parameters of the frame from which the sender took its identity.

    Attributes:
        origin: 35 little-endian float32.
    """

    origin: bytes = _checked(_size(PARAMS_SIZE * 4, PARAMS_SIZE * 4))

    @classmethod
    def of(cls, params: Params) -> Calibration:
        """Return the message that carries these parameters."""
        return cls(params.to_vector().astype("<f4").tobytes())

    def params(self) -> Params:
        """Return the parameters it carries.

        Raises:
            FieldValueError: they are not finite or out of range.
        """
        try:
            return Params.from_vector(np.frombuffer(self.origin, "<f4").astype(np.float32))
        except ParamsError as error:
            raise FieldValueError(f"the calibration cannot be used: {error}") from error


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life that also measures: both sides send one every few seconds.

    As in RTCP's reports, each repeats the other's newest stamp and says how long it was held, so
    that two messages, not four, give both sides the round trip and the clock offset.

    Attributes:
        ms: this side's clock when the message was sent, milliseconds.
        echo_ms: the ``ms`` of the newest ping from the other side, or -1 before the first.
        held_ms: milliseconds between that ping's arrival and this message.
        sent: frame packets this side has sent so far.
        lost: frame packets of the other side that this side misses so far.
    """

    ms: float = _checked(_between(0, CLOCK_LIMIT_MS))
    echo_ms: float = _checked(_between(-1, CLOCK_LIMIT_MS))
    held_ms: float = _checked(_between(0, CLOCK_LIMIT_MS))
    sent: int = _checked(_between(0, COUNT_LIMIT))
    lost: int = _checked(_between(0, COUNT_LIMIT))


@dataclass(frozen=True, slots=True)
class Bye:
    """The last message: this side ends the call.

    Attributes:
        reason: a sentence for the other side's user.
        sent: frame packets this side sent in the whole call.
    """

    reason: str = _checked(_text())
    sent: int = _checked(_between(0, COUNT_LIMIT))


Message = Hello | Welcome | Refusal | Reference | Chunk | Accepted | Calibration | Ping | Bye

_TYPES: dict[str, type[Message]] = {
    "hello": Hello,
    "welcome": Welcome,
    "refusal": Refusal,
    "reference": Reference,
    "chunk": Chunk,
    "accepted": Accepted,
    "calibration": Calibration,
    "ping": Ping,
    "bye": Bye,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_PYTHON_TYPES = {"int": int, "float": float, "str": str, "bytes": bytes, "bool": bool}
_FIELDS = {cls: dataclasses.fields(cls) for cls in _NAMES}


def encode(message: Message) -> bytes:
    """Return a message's bytes.

    Raises:
        WireError: a field is over its cap; what cannot be decoded is never sent.
    """
    fields: dict[str, Any] = {
        item.name: getattr(message, item.name) for item in _FIELDS[type(message)]
    }
    _check_fields(type(message), fields)
    packed: bytes = msgpack.packb({"t": _NAMES[type(message)], **fields})
    return packed


def decode(data: bytes) -> Message:
    """Return the message held by a peer's bytes.

    Args:
        data: one data channel message.

    Raises:
        WireError: the subclass says in which way the bytes are bad. Nothing else is raised.
    """
    if len(data) > MESSAGE_LIMIT:
        raise TooLongError(f"a session message has at most {MESSAGE_LIMIT} bytes, not {len(data)}")
    fields = _unpack(data)
    name = fields.pop("t", None)
    if not isinstance(name, str) or name not in _TYPES:
        raise UnknownTypeError(f"there is no session message of the type {_short(name)}")
    cls = _TYPES[name]
    _check_fields(cls, fields)
    return cls(**fields)


def _unpack(data: bytes) -> dict[str, Any]:
    try:
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            use_list=False,
            max_str_len=4 * TEXT_LIMIT,
            max_bin_len=CHUNK_LIMIT,
            max_array_len=0,
            max_map_len=FIELD_LIMIT,
            max_ext_len=0,
        )
    # msgpack raises its own errors, ValueError, and for odd input also TypeError, OverflowError,
    # UnicodeDecodeError or RecursionError: all mean the same here.
    except Exception as error:
        if "exceeds max_" in str(error):
            raise TooLongError(f"a session message is over a cap: {_short(error)}") from error
        raise NotMsgpackError(f"a session message is not valid msgpack: {_short(error)}") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise NotMsgpackError("a session message must be a map with text keys")
    return value


def _check_fields(cls: type[Message], values: dict[str, Any]) -> None:
    for item in _FIELDS[cls]:
        if item.name not in values:
            raise MissingFieldError(f"a {_NAMES[cls]} message lacks {item.name}")
        _check_field(f"{_NAMES[cls]}.{item.name}", item, values[item.name])
    if len(values) > len(_FIELDS[cls]):
        extra = sorted(set(values) - {item.name for item in _FIELDS[cls]})
        raise ExtraFieldError(f"a {_NAMES[cls]} message has no field {_short(extra[0])}")


def _check_field(name: str, item: dataclasses.Field[Any], value: Any) -> None:
    wanted = _PYTHON_TYPES[str(item.type)]
    # type() and not isinstance: True is an int to Python, not to the protocol.
    if type(value) is not wanted:
        raise FieldTypeError(f"{name} must be {item.type}, not {type(value).__name__}")
    complaint = item.metadata["check"](value)
    if complaint is not None:
        kind: type[WireError] = FieldValueError
        if isinstance(value, str | bytes) and len(value) > TEXT_LIMIT:
            kind = TooLongError
        raise kind(f"{name} {complaint}")


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, Exception) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
