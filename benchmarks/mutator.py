"""Makes bad messages out of good ones, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

# What parsers trip over: ends of ranges, signs, and the lengths that formats write.
_ODD = (0, 1, 0x7F, 0x80, 0xC0, 0xFF)
_MOST_CHANGES = 4
_LONGEST_PIECE = 16


class Mutator:
    """An endless supply of damaged copies."""

    def __init__(self, seeds: Sequence[bytes], seed: int, longest: int) -> None:
        """Start from good messages.

        Args:
            seeds: the good messages, at least one.
            seed: of the random numbers.
            longest: bytes of a damaged copy at most.
        """
        self._seeds = tuple(seeds)
        self._random = random.Random(seed)
        self._longest = longest

    def next(self) -> bytes:
        """Return another damaged copy; one in some dozens is undamaged."""
        data = bytearray(self._pick())
        for _ in range(self._below(_MOST_CHANGES + 1)):
            self._change(data)
        return bytes(data[: self._longest])

    def _change(self, data: bytearray) -> None:
        kind, size = self._below(8), len(data)
        at = self._below(size) if size else 0
        if kind == 0 and size:
            data[at] ^= 1 << self._below(8)
        elif kind == 1 and size:
            data[at] = self._below(256)
        elif kind == 2 and size:
            data[at] = _ODD[self._below(len(_ODD))]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + 1 + self._below(_LONGEST_PIECE)]
        elif kind == 5:
            data[at:at] = self._random.randbytes(1 + self._below(_LONGEST_PIECE))
        elif kind == 6:
            data[at:at] = data[at : at + 1 + self._below(_LONGEST_PIECE)] * (1 + self._below(4))
        else:
            other = self._pick()
            data[at:] = other[self._below(len(other) + 1) :]

    def _pick(self) -> bytes:
        return self._seeds[self._below(len(self._seeds))]

    def _below(self, limit: int) -> int:
        return int(self._random.random() * limit)
