"""Sending the photograph in chunks, and putting it together again without trusting the sender."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from shared.messages import CHUNK_LIMIT, Chunk, Reference
from shared.wire_errors import FieldValueError


def announce(data: bytes, mime: str) -> Reference:
    """Return the message that announces a photograph."""
    return Reference(len(data), hashlib.sha256(data).hexdigest(), mime)


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield a photograph in pieces of at most CHUNK_LIMIT bytes."""
    for offset in range(0, len(data), CHUNK_LIMIT):
        yield Chunk(offset, data[offset : offset + CHUNK_LIMIT])


class Assembly:
    """A photograph that is arriving; never holds more than was announced."""

    def __init__(self, announced: Reference) -> None:
        self.announced = announced
        self._data = bytearray()

    def add(self, chunk: Chunk) -> bool:
        """Take the next piece.

        Returns:
            True when it was the last one.

        Raises:
            FieldValueError: it does not follow on, goes past the announced size, or the whole
                does not have the announced digest.
        """
        if chunk.offset != len(self._data):
            raise FieldValueError(
                f"a piece of the photograph starts at {chunk.offset}, not at {len(self._data)}"
            )
        if len(self._data) + len(chunk.data) > self.announced.size:
            raise FieldValueError("the photograph is longer than announced")
        self._data += chunk.data
        if len(self._data) < self.announced.size:
            return False
        if hashlib.sha256(self._data).hexdigest() != self.announced.sha256:
            raise FieldValueError("the photograph was damaged on the way: its digest differs")
        return True

    def data(self) -> bytes:
        """Return the bytes received so far."""
        return bytes(self._data)
