"""One caller's place in the receiver."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.door import Door
from receiver.links import LinkOffice
from receiver.station import Station


@dataclass(frozen=True, slots=True)
class Room:
    """A station, who may come in, and the links that are printed.

    Attributes:
        number: from 1; 0 for the only room of a receiver, which lies at ``/``.
        station: takes calls and watchers.
        door: with tokens of its own, so that no link leads into another room.
        office: prints the links.
    """

    number: int
    station: Station
    door: Door
    office: LinkOffice

    @property
    def path(self) -> str:
        """Where it lies: ``/1``, or nothing for the only one."""
        return f"/{self.number}" if self.number else ""
