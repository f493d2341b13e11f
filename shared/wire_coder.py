"""The range coder's part of a frame packet: symbols as the fewest bytes that hold them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import constriction
import numpy as np

from shared.wire_errors import EntropyError
from shared.wire_table import DELTA_CLASSES, Levels, Model

CLASS_MODEL: Model = constriction.stream.model.Uniform(DELTA_CLASSES)

Models = tuple[Model, ...]
Take = Callable[[Models], Levels]


@dataclass(frozen=True, slots=True)
class Coded:
    """Symbols, from 0, and the entropy model of each."""

    models: Models
    symbols: Levels


def pack(coded: list[Coded]) -> bytes:
    """Return the bytes of symbols, as few as tell them apart.

    The coder writes whole 32-bit words; a decoder that reads zeros past the end needs only the
    leading bytes that name a point inside the final interval.
    """
    encoder = constriction.stream.queue.RangeEncoder()
    for part in coded:
        for symbol, model in zip(part.symbols.tolist(), part.models, strict=True):
            encoder.encode(symbol, model)
    whole: bytes = encoder.get_compressed().astype(">u4").tobytes()
    best, low, high = whole, 1, len(whole)
    # If some size is enough every larger one is: by halves, since a hostile packet's symbols can
    # leave nearly all of the bytes out.
    while low < high:
        size = (low + high) // 2
        shorter = _shorten(whole, size, coded)
        if shorter is None:
            low = size + 1
        else:
            best, high = shorter, size
    return best


def unpacker(data: bytes) -> tuple[Take, Callable[[], None]]:
    """Return what takes symbols from a packet's bytes, and what ends the packet.

    Both raise EntropyError: no encoder writes these bytes.
    """
    decoder = _decoder(data)
    taken: list[Coded] = []

    def take(models: Models) -> Levels:
        try:
            symbols = np.array([int(decoder.decode(model)) for model in models], np.int64)
        # constriction raises AssertionError on impossible bytes, but documents no type.
        except Exception as error:
            raise EntropyError("the coded numbers of a frame packet are damaged") from error
        taken.append(Coded(models, symbols))
        return symbols

    def finish() -> None:
        # Each packet has one encoding: anything else was damaged or made up.
        if pack(taken) != data:
            raise EntropyError("the coded numbers of a frame packet are not an encoder's")

    return take, finish


def _shorten(whole: bytes, size: int, coded: list[Coded]) -> bytes | None:
    """Return ``size`` bytes that decode to the same symbols, rounding down or up."""
    down = whole[:size]
    if _holds(down, coded):
        return down
    above = int.from_bytes(down, "big") + 1
    if above >> 8 * size:
        return None
    up = above.to_bytes(size, "big")
    return up if _holds(up, coded) else None


def _holds(data: bytes, coded: list[Coded]) -> bool:
    """Return whether bytes decode to these symbols."""
    decoder = _decoder(data)
    try:
        return all(
            int(decoder.decode(model)) == symbol
            for part in coded
            for symbol, model in zip(part.symbols.tolist(), part.models, strict=True)
        )
    except Exception:  # as in `unpacker`
        return False


def _decoder(data: bytes) -> constriction.stream.queue.RangeDecoder:
    padded = data + bytes(-len(data) % 4)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
