"""Where rebuilt pictures go: what a sink is, and handing a picture to several."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from receiver.picture import Picture

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes pictures; both methods are called on the call's painting thread, never two at once."""

    def show(self, picture: Picture) -> None:
        """Take the next picture of the call."""

    def end_call(self) -> None:
        """The call has ended; the next picture belongs to another one."""


class Sinks:
    """Hands each picture to every sink; one that fails is left out for the rest of the call."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._failed: set[int] = set()

    def show(self, picture: Picture) -> None:
        """Hand a picture to every sink that still works."""
        for index, sink in enumerate(self._sinks):
            if index not in self._failed:
                self._guard(index, sink, picture)

    def end_call(self) -> None:
        """Tell every sink that the call has ended."""
        for index, sink in enumerate(self._sinks):
            self._guard(index, sink, None)
        self._failed.clear()

    def _guard(self, index: int, sink: Sink, picture: Picture | None) -> None:
        # A full disk or a closed window must not end the call for the other sinks.
        try:
            if picture is None:
                sink.end_call()
            else:
                sink.show(picture)
        except Exception as error:
            self._failed.add(index)
            log.exception("%s stopped working: %s", type(sink).__name__, error)
