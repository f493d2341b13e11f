"""Frame packets, wire version 6: one to eight frames of 35 floats, and their detail.

Layout, big-endian bit fields and then the range coder's bytes::

    key    version:3 count-1:3 coarse:1 distance:5 (0)    sequence:15 time:21   6 bytes
    delta  version:3 count-1:3 coarse:1 distance:5 (1-31) sequence:15 dt:13     5 bytes
    span:8, only where count > 1                                                1 byte

A packet holds ``count`` frames of consecutive numbers. Its last frame, the anchor, comes first in
the coded part: alone in a key packet, as the difference to the anchor of the key ``distance``
frames before it in a delta packet, and never to another delta, so that a lost packet spoils
nothing beyond the next key. Then comes the first frame, as the difference to the anchor; then,
by halves, the frames between, each as the difference to the mean of its two neighbours. Every
difference has a ``class``, one of four widths of priors: the encoder takes the cheapest.

The detail comes last, the anchor's alone, sway, mouth and then iris: in a key packet as it is, else
as the difference to the key's, each with a class of its own. Hair and shoulders move slowly, lips
hide what of the mouth is quick, and irises keep their colour, so the frames before the anchor lie
on the straight line from the newest anchor before the packet to this one.

``sequence`` and ``time`` (milliseconds) are the anchor's; they wrap and are unwrapped near the
newest frame. ``dt`` counts milliseconds since the key. ``span`` is the time from the first frame
to the anchor in steps of 2 ms; the frames lie evenly in it. ``coarse`` says that the steps are
three times as wide. The levels come from the table in :mod:`shared.wire_table`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.detail import Detail
from shared.params import Frame, Params, ParamsError
from shared.sequence import ReplayWindow, unwrap
from shared.wire_coder import CLASS_MODEL, Coded, pack, unpacker
from shared.wire_errors import (
    KindError,
    RangeError,
    StaleKeyError,
    TooLongError,
    TruncatedError,
    VersionError,
)
from shared.wire_table import (
    DELTA_CLASSES,
    WIRE_VERSION,
    Levels,
    Width,
    WireTable,
    WireTables,
    wire_tables,
)

MAX_FRAMES = 8
# Eight times 35 numbers of at most 24 bits, 32 and 6 more, and the header.
PACKET_LIMIT = 7 + MAX_FRAMES * 106 + 97 + 19
KEY_PACKETS = 4
MAX_DISTANCE = 31
SEQUENCE_BITS = 15
TIME_BITS = 21
DT_BITS = 13
SPAN_MS = 2
KEY_HEADER = 6
DELTA_HEADER = 5
# What a gap in the sequence means for the clock, to unwrap the time: the sender's frame rate.
FRAME_MS = 40


@dataclass(frozen=True, slots=True)
class _Key:
    sequence: int
    captured_ms: int
    coarse: bool
    levels: Levels
    detail: tuple[Levels, ...]  # its parts


@dataclass(frozen=True, slots=True)
class _Header:
    """A packet's header; ``sequence`` and ``clock`` as sent, before they are unwrapped."""

    count: int
    coarse: bool
    distance: int
    sequence: int
    clock: int
    span_ms: int
    size: int


class FrameEncoder:
    """Turns the frames of one call into packets."""

    def __init__(self, key_packets: int = KEY_PACKETS, coarse: bool = False) -> None:
        """Start a call.

        Args:
            key_packets: a key at least every so many packets; 1 sends only keys.
            coarse: send the numbers a third as finely.
        """
        self._tables = wire_tables(coarse)
        self._coarse = coarse
        self._key_packets = key_packets
        self._since_key = 0
        self._key: _Key | None = None

    def encode(self, frames: Sequence[Frame], *, alone: bool = False) -> bytes:
        """Return the packet of one to eight frames, at most :data:`PACKET_LIMIT` bytes.

        Args:
            frames: of consecutive numbers; these and the capture times may not fall from one
                call to the next.
            alone: make it a key, whatever its turn.
        """
        anchor = frames[-1]
        if not 1 <= len(frames) <= MAX_FRAMES or anchor.sequence - frames[0].sequence != (
            len(frames) - 1
        ):
            raise ValueError("a packet holds one to eight frames of consecutive numbers")
        face = self._tables.face
        positions = [face.positions(frame.params.to_vector()) for frame in frames]
        key = self._key if self._reaches(anchor) and not alone else None
        coded, levels = _code(positions, face, None if key is None else key.levels)
        seen, detail = _code_detail(anchor.detail, self._tables, key)
        coded += seen
        header = self._header(frames, key)
        if key is None:
            self._since_key = 0
            self._key = _Key(anchor.sequence, anchor.captured_ms, self._coarse, levels, detail)
        self._since_key += 1
        return header + pack(coded)

    def _reaches(self, anchor: Frame) -> bool:
        key = self._key
        if key is None or self._since_key >= self._key_packets:
            return False
        waited_ms = anchor.captured_ms - key.captured_ms
        return 0 < anchor.sequence - key.sequence <= MAX_DISTANCE and 0 <= waited_ms < 1 << DT_BITS

    def _header(self, frames: Sequence[Frame], key: _Key | None) -> bytes:
        anchor = frames[-1]
        distance = 0 if key is None else anchor.sequence - key.sequence
        head = (WIRE_VERSION << 3 | len(frames) - 1) << 6 | self._coarse << 5 | distance
        head = head << SEQUENCE_BITS | anchor.sequence % (1 << SEQUENCE_BITS)
        if key is None:
            head = head << TIME_BITS | anchor.captured_ms % (1 << TIME_BITS)
        else:
            head = head << DT_BITS | anchor.captured_ms - key.captured_ms
        packed = head.to_bytes(DELTA_HEADER if distance else KEY_HEADER, "big")
        if len(frames) == 1:
            return packed
        span = round((anchor.captured_ms - frames[0].captured_ms) / SPAN_MS)
        return packed + bytes([min(max(span, 0), 255)])


class FrameDecoder:
    """Turns the packets of one call, in whatever order they come, into frames."""

    def __init__(self, window: int = 64) -> None:
        """Start a call.

        Args:
            window: how many frames late a packet may come.
        """
        self._window = ReplayWindow(window)
        self._keys: dict[int, _Key] = {}
        self._newest_ms = 0
        self._detail = Detail.none()  # of the newest frame

    def decode(self, packet: bytes) -> list[Frame]:
        """Return the frames in a packet, in order.

        Raises:
            TruncatedError, TooLongError: its length cannot be.
            VersionError: another wire version.
            KindError: its header is none that this version has.
            DuplicateError, TooOldError: a frame of it came before, or far too late.
            StaleKeyError: the key it needs never came.
            EntropyError: the coded part is not an encoder's.
            RangeError: the numbers are no face's.
        """
        header = _read_header(packet)
        sequence = unwrap(header.sequence, max(self._window.newest, 0), SEQUENCE_BITS)
        numbers = range(sequence - header.count + 1, sequence + 1)
        if numbers[0] < 0:
            raise KindError(f"frame {numbers[0]} would come before the first")
        for number in numbers:
            self._window.check(number)
        key = self._key_of(header, sequence)
        anchor_ms = self._time(header, sequence, key)
        tables = wire_tables(header.coarse)
        rows, seen = _decode_levels(packet[header.size :], header.count, tables, key)
        detail = Detail(*(t.values(own) for t, own in zip(tables.detail, seen, strict=True)))
        follows = numbers[0] > self._window.newest >= 0
        details = _spread_detail(self._detail if follows else detail, detail, header.count)
        frames = [
            Frame(number, time_ms, _params(tables.face, levels, number), own)
            for number, time_ms, levels, own in zip(
                numbers, _spread(anchor_ms, header), rows, details, strict=True
            )
        ]
        # Only now: a refused packet leaves no trace.
        if sequence > self._window.newest:
            self._newest_ms, self._detail = anchor_ms, detail
        for number in numbers:
            self._window.add(number)
        if key is None:
            self._keep(_Key(sequence, anchor_ms, header.coarse, rows[-1], seen))
        return frames

    def _key_of(self, header: _Header, sequence: int) -> _Key | None:
        if not header.distance:
            return None
        key = self._keys.get(sequence - header.distance)
        if key is None or key.coarse != header.coarse:
            raise StaleKeyError(f"frame {sequence} builds on a key that is not here")
        return key

    def _time(self, header: _Header, sequence: int, key: _Key | None) -> int:
        if key is not None:
            return key.captured_ms + header.clock
        gap_ms = (sequence - max(self._window.newest, 0)) * FRAME_MS
        return unwrap(header.clock, max(self._newest_ms + gap_ms, 0), TIME_BITS)

    def _keep(self, key: _Key) -> None:
        self._keys[key.sequence] = key
        for old in [number for number in self._keys if number < key.sequence - self._window.size]:
            del self._keys[old]


def _read_header(packet: bytes) -> _Header:
    if len(packet) > PACKET_LIMIT:
        raise TooLongError(f"a frame packet has at most {PACKET_LIMIT} bytes, not {len(packet)}")
    if len(packet) < 2:
        raise TruncatedError("a frame packet ends inside its header")
    if packet[0] >> 5 != WIRE_VERSION:
        raise VersionError(f"a frame packet has version {packet[0] >> 5}, not {WIRE_VERSION}")
    count, distance = (packet[0] >> 2 & 7) + 1, (packet[0] << 8 | packet[1]) >> 4 & 31
    bits = DT_BITS if distance else TIME_BITS
    fixed = DELTA_HEADER if distance else KEY_HEADER
    size = fixed + (count > 1)
    if len(packet) < size:
        raise TruncatedError("a frame packet ends inside its header")
    head = int.from_bytes(packet[:fixed], "big")
    return _Header(
        count=count,
        coarse=bool(packet[0] >> 1 & 1),
        distance=distance,
        sequence=head >> bits & (1 << SEQUENCE_BITS) - 1,
        clock=head & (1 << bits) - 1,
        span_ms=packet[fixed] * SPAN_MS if count > 1 else 0,
        size=size,
    )


def _spread(anchor_ms: int, header: _Header) -> list[int]:
    """Return the capture times of a packet's frames: evenly up to the anchor's."""
    gaps = max(header.count - 1, 1)
    return [
        max(anchor_ms - round(header.span_ms * (header.count - 1 - index) / gaps), 0)
        for index in range(header.count)
    ]


def between(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Yield (frame, neighbour before, neighbour after) of the frames between two, by halves."""
    if last - first < 2:
        return
    middle = (first + last) // 2
    yield middle, first, last
    yield from between(first, middle)
    yield from between(middle, last)


def _code(
    positions: list[npt.NDArray[np.float64]], table: WireTable, key: Levels | None
) -> tuple[list[Coded], Levels]:
    """Return what the range coder gets for the frames of a packet, and the anchor's levels."""
    last = len(positions) - 1
    rows: dict[int, Levels] = {}
    coded: list[Coded] = []

    def add(index: int, predicted: Levels, classes: tuple[Width, ...]) -> None:
        rows[index] = table.near(positions[index], predicted)
        symbols = rows[index] - predicted + table.span
        cheapest = min(range(DELTA_CLASSES), key=lambda kind: classes[kind].cost(symbols))
        coded.append(Coded((CLASS_MODEL,), np.array([cheapest])))
        coded.append(Coded(classes[cheapest].models, symbols))

    if key is None:
        rows[last] = table.nearest(positions[last])
        coded.append(Coded(table.key, rows[last] - table.low))
    else:
        add(last, key, table.delta)
    if last:
        add(0, rows[last], table.delta)
    for index, before, after in between(0, last):
        add(index, (rows[before] + rows[after]) // 2, table.between)
    return coded, rows[last]


def _code_detail(
    detail: Detail, tables: WireTables, key: _Key | None
) -> tuple[list[Coded], tuple[Levels, ...]]:
    """Return what the range coder gets for an anchor's detail, and its parts' levels."""
    coded: list[Coded] = []
    levels = []
    for place, (table, part) in enumerate(zip(tables.detail, detail.parts, strict=True)):
        before = None if key is None else key.detail[place]
        own, found = _code([table.positions(part)], table, before)
        coded += own
        levels.append(found)
    return coded, tuple(levels)


def _decode_levels(
    data: bytes, count: int, tables: WireTables, key: _Key | None
) -> tuple[list[Levels], tuple[Levels, ...]]:
    """Return the levels of a packet's frames, in order, and those of the detail's parts."""
    take, finish = unpacker(data)
    rows: dict[int, Levels] = {}
    last = count - 1
    face = tables.face

    def taken(table: WireTable, predicted: Levels, classes: tuple[Width, ...]) -> Levels:
        kind = int(take((CLASS_MODEL,))[0])
        levels = predicted - table.span + take(classes[kind].models)
        if (levels < table.low).any() or (levels > table.high).any():
            raise RangeError("a frame leaves the range of what a camera can see")
        return levels

    rows[last] = face.low + take(face.key) if key is None else taken(face, key.levels, face.delta)
    if last:
        rows[0] = taken(face, rows[last], face.delta)
    for index, before, after in between(0, last):
        rows[index] = taken(face, (rows[before] + rows[after]) // 2, face.between)
    if key is None:
        detail = tuple(table.low + take(table.key) for table in tables.detail)
    else:
        parts = zip(tables.detail, key.detail, strict=True)
        detail = tuple(taken(table, before, table.delta) for table, before in parts)
    finish()
    return [rows[index] for index in range(count)], detail


def _spread_detail(before: Detail, anchor: Detail, count: int) -> list[Detail]:
    """Return the details of a packet's frames: a straight line from the one before the packet."""
    return [before.towards(anchor, n / count) for n in range(1, count + 1)]


def _params(table: WireTable, levels: Levels, number: int) -> Params:
    try:
        return Params.from_vector(table.values(levels))
    except ParamsError as error:
        raise RangeError(f"frame {number} cannot be shown: {error}") from error
