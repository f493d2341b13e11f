"""Frame packets, wire version 1: 35 floats in about 19 bytes.

Layout, big-endian bit fields and then the range coder's bytes::

    key    version:3 distance:4 (0)    class:2 (0) sequence:16 time:23   6 bytes, levels
    delta  version:3 distance:4 (1-15) class:2     sequence:16 dt:15     5 bytes, level differences

A key packet stands alone. A delta packet holds the difference to the key ``distance`` frames
before it and never to another delta, so a lost packet spoils nothing beyond the few frames up to
the next key. ``sequence`` and ``time`` (milliseconds) wrap and are unwrapped near the newest
frame; ``dt`` counts milliseconds since the key. ``class`` picks one of four widths of priors:
the encoder takes the shortest. The levels come from the table in :mod:`shared.wire_table`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import constriction
import numpy as np

from shared.params import Frame, Params, ParamsError
from shared.sequence import ReplayWindow, unwrap
from shared.wire_errors import (
    EntropyError,
    KindError,
    RangeError,
    StaleKeyError,
    TooLongError,
    TruncatedError,
    VersionError,
)
from shared.wire_table import DELTA_CLASSES, WIRE_VERSION, Levels, Model, WireTable, wire_table

# 35 numbers of at most 24 bits, and the header.
PACKET_LIMIT = 112
# Measured: 4 to 6 cost the same, and the fewer frames hang on one key, the fewer a loss takes.
KEY_INTERVAL = 4
MAX_DISTANCE = 15
SEQUENCE_BITS = 16
TIME_BITS = 23
DT_BITS = 15
KEY_HEADER = 6
DELTA_HEADER = 5
# What a gap in the sequence means for the clock, to unwrap the time: the sender's frame rate.
FRAME_MS = 40


@dataclass(frozen=True, slots=True)
class _Key:
    sequence: int
    captured_ms: int
    levels: Levels


class FrameEncoder:
    """Turns the frames of one call into packets."""

    def __init__(self, table: WireTable | None = None, key_interval: int = KEY_INTERVAL) -> None:
        """Start a call.

        Args:
            table: the wire table; the committed one by default.
            key_interval: a key at least every so many frames, 1 to 16; 1 sends only keys.
        """
        self._table = table or wire_table()
        self._interval = min(key_interval, MAX_DISTANCE + 1)
        self._key: _Key | None = None

    def encode(self, frame: Frame) -> bytes:
        """Return a frame's packet, at most :data:`PACKET_LIMIT` bytes.

        Args:
            frame: sequence and capture time may not fall from one call to the next.
        """
        levels = self._table.quantise(frame.params.to_vector())
        key = self._key
        if key is not None and self._is_near(frame, key):
            return self._delta(frame, levels, key)
        self._key = _Key(frame.sequence, frame.captured_ms, levels)
        header = (
            WIRE_VERSION << 45
            | frame.sequence % (1 << SEQUENCE_BITS) << TIME_BITS
            | frame.captured_ms % (1 << TIME_BITS)
        )
        return header.to_bytes(KEY_HEADER, "big") + pack_levels(
            levels - self._table.low, self._table.key
        )

    def _is_near(self, frame: Frame, key: _Key) -> bool:
        distance = frame.sequence - key.sequence
        waited_ms = frame.captured_ms - key.captured_ms
        return 0 < distance < self._interval and 0 <= waited_ms < 1 << DT_BITS

    def _delta(self, frame: Frame, levels: Levels, key: _Key) -> bytes:
        symbols = levels - key.levels + (self._table.high - self._table.low)
        coded = [pack_levels(symbols, models) for models in self._table.delta]
        shortest = min(range(DELTA_CLASSES), key=lambda index: len(coded[index]))
        header = (
            WIRE_VERSION << 37
            | (frame.sequence - key.sequence) << 33
            | shortest << 31
            | frame.sequence % (1 << SEQUENCE_BITS) << DT_BITS
            | (frame.captured_ms - key.captured_ms)
        )
        return header.to_bytes(DELTA_HEADER, "big") + coded[shortest]


class FrameDecoder:
    """Turns the packets of one call, in whatever order they come, into frames."""

    def __init__(self, table: WireTable | None = None, window: int = 64) -> None:
        """Start a call.

        Args:
            table: the wire table; the committed one by default.
            window: how many frames late a packet may come.
        """
        self._table = table or wire_table()
        self._window = ReplayWindow(window)
        self._keys: dict[int, _Key] = {}
        self._newest_ms = 0

    def decode(self, packet: bytes) -> Frame:
        """Return the frame in a packet.

        Raises:
            TruncatedError, TooLongError: its length cannot be.
            VersionError: another wire version.
            KindError: a kind this version does not have.
            DuplicateError, TooOldError: the frame came before, or far too late.
            StaleKeyError: the key it needs never came.
            EntropyError: the coded part is not an encoder's.
            RangeError: the numbers are no face's.
        """
        version, distance = _check_head(packet)
        if version != WIRE_VERSION:
            raise VersionError(f"a frame packet has version {version}, not {WIRE_VERSION}")
        return self._decode_delta(packet) if distance else self._decode_key(packet)

    def _decode_key(self, packet: bytes) -> Frame:
        header = int.from_bytes(packet[:KEY_HEADER], "big")
        if header >> 39 & 3:
            raise KindError("a key packet has no classes")
        sequence = self._sequence(header >> TIME_BITS)
        gap_ms = (sequence - max(self._window.newest, 0)) * FRAME_MS
        captured_ms = unwrap(header % (1 << TIME_BITS), max(self._newest_ms + gap_ms, 0), TIME_BITS)
        levels = self._table.low + unpack_levels(packet[KEY_HEADER:], self._table.key)
        frame = self._frame(sequence, captured_ms, levels)
        self._keys[sequence] = _Key(sequence, captured_ms, levels)
        for old in [number for number in self._keys if number < sequence - self._window.size]:
            del self._keys[old]
        return frame

    def _decode_delta(self, packet: bytes) -> Frame:
        header = int.from_bytes(packet[:DELTA_HEADER], "big")
        sequence = self._sequence(header >> DT_BITS)
        key = self._keys.get(sequence - (header >> 33 & 15))
        if key is None:
            raise StaleKeyError(f"frame {sequence} builds on a key that is not here")
        span = self._table.high - self._table.low
        models = self._table.delta[header >> 31 & 3]
        levels = key.levels - span + unpack_levels(packet[DELTA_HEADER:], models)
        if (levels < self._table.low).any() or (levels > self._table.high).any():
            raise RangeError(f"frame {sequence} leaves the range of what a camera can see")
        return self._frame(sequence, key.captured_ms + header % (1 << DT_BITS), levels)

    def _sequence(self, bits: int) -> int:
        wrapped = bits % (1 << SEQUENCE_BITS)
        sequence = unwrap(wrapped, max(self._window.newest, 0), SEQUENCE_BITS)
        self._window.check(sequence)
        return sequence

    def _frame(self, sequence: int, captured_ms: int, levels: Levels) -> Frame:
        try:
            params = Params.from_vector(self._table.values(levels))
        except ParamsError as error:
            raise RangeError(f"frame {sequence} cannot be shown: {error}") from error
        if sequence > self._window.newest:
            self._newest_ms = captured_ms
        self._window.add(sequence)
        return Frame(sequence, captured_ms, params)


def pack_levels(symbols: Levels, models: tuple[Model, ...]) -> bytes:
    """Return symbols as the range coder's bytes, as few as tell them apart.

    The coder writes whole 32-bit words; a decoder that reads zeros past the end needs only the
    leading bytes that name a point inside the final interval.

    Args:
        symbols: one for each model, from 0.
        models: the entropy models.
    """
    encoder = constriction.stream.queue.RangeEncoder()
    for symbol, model in zip(symbols.tolist(), models, strict=True):
        encoder.encode(symbol, model)
    whole: bytes = encoder.get_compressed().astype(">u4").tobytes()
    wanted = symbols.tolist()
    best = whole
    for size in range(len(whole) - 1, 0, -1):
        shorter = _shorten(whole, size, wanted, models)
        if shorter is None:
            break
        best = shorter
    return best


def unpack_levels(data: bytes, models: tuple[Model, ...]) -> Levels:
    """Return the symbols held by the range coder's bytes.

    Raises:
        EntropyError: no encoder writes these bytes.
    """
    decoded = _decode(data, models)
    if decoded is None:
        raise EntropyError("the coded numbers of a frame packet are damaged")
    symbols = np.array(decoded, np.int64)
    # Each frame has one encoding: anything else was damaged or made up.
    if pack_levels(symbols, models) != data:
        raise EntropyError("the coded numbers of a frame packet are not an encoder's")
    return symbols


def _shorten(whole: bytes, size: int, wanted: list[int], models: tuple[Model, ...]) -> bytes | None:
    """Return ``size`` bytes that decode to the same symbols, rounding down or up."""
    down = whole[:size]
    if _decode(down, models) == wanted:
        return down
    above = int.from_bytes(down, "big") + 1
    if above >> 8 * size:
        return None
    up = above.to_bytes(size, "big")
    return up if _decode(up, models) == wanted else None


def _decode(data: bytes, models: tuple[Model, ...]) -> list[int] | None:
    """Return the symbols, or None where the bytes lie outside every interval."""
    padded = data + bytes(-len(data) % 4)
    words = np.frombuffer(padded, ">u4").astype(np.uint32)
    decoder = constriction.stream.queue.RangeDecoder(words)
    try:
        return [int(decoder.decode(model)) for model in models]
    # constriction raises AssertionError on impossible bytes, but documents no type.
    except Exception:
        return None


def _check_head(packet: bytes) -> tuple[int, int]:
    """Return version and distance of a packet of a possible length."""
    if len(packet) > PACKET_LIMIT:
        raise TooLongError(f"a frame packet has at most {PACKET_LIMIT} bytes, not {len(packet)}")
    if len(packet) < 2:
        raise TruncatedError("a frame packet ends inside its header")
    (head,) = struct.unpack_from(">H", packet)
    distance = head >> 9 & 15
    if len(packet) < (DELTA_HEADER if distance else KEY_HEADER):
        raise TruncatedError("a frame packet ends inside its header")
    return head >> 13, distance
