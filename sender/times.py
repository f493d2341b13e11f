"""How long something took, the last thousand times or so."""

from __future__ import annotations

import statistics
from array import array


class Times:
    """Milliseconds in a ring of fixed size: its memory is all taken at the start."""

    def __init__(self, size: int) -> None:
        """Make an empty ring.

        Args:
            size: how many are kept.
        """
        self._ring = array("d", bytes(8 * size))
        self._count = 0

    def add(self, milliseconds: float) -> None:
        """Note one; the oldest gives way."""
        self._ring[self._count % len(self._ring)] = milliseconds
        self._count += 1

    def median(self) -> float | None:
        """Return the median of those kept; None before the first."""
        return statistics.median(self._ring[: self._count]) if self._count else None
