"""Counting and logging what a peer does wrong, without letting it fill the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from shared.clock import monotonic_ms

log = logging.getLogger(__name__)

QUIET_MS = 5000.0


class Complaints:
    """Counts errors by class; logs the first at once and then at most one line in five seconds."""

    def __init__(
        self,
        what: str,
        now_ms: Callable[[], float] = monotonic_ms,
        level: int = logging.WARNING,
    ) -> None:
        """Start counting.

        Args:
            what: what is bad, for the log: "session message", "frame packet".
            now_ms: a clock.
            level: the log level of its lines.
        """
        self.counts: Counter[str] = Counter()
        self._what = what
        self._now_ms = now_ms
        self._level = level
        self._logged_ms: float | None = None
        self._silent = 0

    def add(self, error: Exception) -> None:
        """Count one error."""
        self.counts[type(error).__name__] += 1
        now_ms = self._now_ms()
        if self._logged_ms is not None and now_ms - self._logged_ms < QUIET_MS:
            self._silent += 1
            return
        more = f" ({self._silent} more since the last line)" if self._silent else ""
        log.log(self._level, "bad %s: %s%s", self._what, error, more)
        self._logged_ms, self._silent = now_ms, 0

    @property
    def total(self) -> int:
        """How many there were."""
        return self.counts.total()
