"""Where rebuilt pictures and the sound go: what a sink is, and handing both to several."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from receiver.picture import Picture
from shared.voice import OpusPacket

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes pictures; its methods are called on the call's painting thread, never two at once."""

    def show(self, picture: Picture) -> None:
        """Take the next picture of the call."""

    def end_call(self) -> None:
        """The call has ended; the next picture belongs to another one."""


@runtime_checkable
class Ear(Sink, Protocol):
    """A sink that takes the sound as well; these methods are called on the event loop."""

    def expect_sound(self) -> None:
        """The call that begins has sound; comes before its first picture."""

    def hear(self, packet: OpusPacket, spoken_ms: float) -> None:
        """Take a packet when it is due.

        Args:
            packet: its stamp counts samples of 48 kHz from an unknown moment.
            spoken_ms: when its sound begins, on the call clock, as well as that is known.
        """


class Sinks:
    """Hands everything to every sink; one that fails is left out for the rest of the call."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._ears = [(at, one) for at, one in enumerate(self._sinks) if isinstance(one, Ear)]
        self._failed: set[int] = set()

    def show(self, picture: Picture) -> None:
        """Hand a picture to every sink that still works."""
        for index, sink in enumerate(self._sinks):
            if index not in self._failed:
                self._guard(index, partial(sink.show, picture))

    def expect_sound(self) -> None:
        """Tell every ear that the call has sound."""
        for index, ear in self._ears:
            self._guard(index, ear.expect_sound)

    def hear(self, packet: OpusPacket, spoken_ms: float) -> None:
        """Hand a packet of sound to every ear that still works."""
        for index, ear in self._ears:
            if index not in self._failed:
                self._guard(index, partial(ear.hear, packet, spoken_ms))

    def end_call(self) -> None:
        """Tell every sink that the call has ended."""
        for index, sink in enumerate(self._sinks):
            self._guard(index, sink.end_call)
        self._failed.clear()

    def _guard(self, index: int, job: Callable[[], None]) -> None:
        # A full disk or a closed window must not end the call for the other sinks.
        try:
            job()
        except Exception as error:
            self._failed.add(index)
            log.exception("%s stopped working: %s", type(self._sinks[index]).__name__, error)
