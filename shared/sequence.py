"""Numbers that wrap on the wire, and the window that tells new packets from old ones."""

from __future__ import annotations

from shared.wire_errors import DuplicateError, TooOldError


def unwrap(wrapped: int, near: int, bits: int) -> int:
    """Return the number of which only the low bits were sent.

    Args:
        wrapped: the low ``bits`` bits.
        near: a number less than half the range away from the true one.
        bits: how many bits were sent.

    Returns:
        The non-negative number with these low bits that is nearest to ``near``.
    """
    size = 1 << bits
    value = near + (wrapped - near + size // 2) % size - size // 2
    return value if value >= 0 else value + size


class ReplayWindow:
    """Remembers which of the last sequence numbers were seen (RFC 4303, section 3.4.3)."""

    def __init__(self, size: int = 64) -> None:
        self.size = size
        self.newest = -1
        self._seen = 0

    def check(self, sequence: int) -> None:
        """Refuse a number that was seen or that is too old to tell.

        Raises:
            DuplicateError: it was taken before.
            TooOldError: it is further back than the window reaches.
        """
        behind = self.newest - sequence
        if behind >= self.size:
            raise TooOldError(f"frame {sequence} comes {behind} frames late")
        if behind >= 0 and self._seen >> behind & 1:
            raise DuplicateError(f"frame {sequence} came twice")

    def add(self, sequence: int) -> None:
        """Remember a number that passed :meth:`check`."""
        ahead = sequence - self.newest
        if ahead > 0:
            # A jump past the window empties it; the shift must not follow a hostile jump.
            self._seen = (self._seen << ahead if ahead < self.size else 0) | 1
            self._seen &= (1 << self.size) - 1
            self.newest = sequence
        else:
            self._seen |= 1 << -ahead
