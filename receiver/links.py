"""The links that a receiver prints for who calls and who watches, and when it prints new ones."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from receiver.config import ReceiverSettings
from receiver.tokens import Role, Tokens

_LOOK_S = 1.0
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Links:
    """Where to go.

    Attributes:
        watch: the page's address.
        call: what ``sender`` takes; nothing where nobody can be called.
        protected: whether they hold tokens, so that nobody gets in without them.
        room: which room they lead to; 0 where there is one only, and for the list of all.
    """

    watch: str
    call: str
    protected: bool = False
    room: int = 0


class LinkOffice:
    """Prints links; a used or expired one is followed by a new one."""

    def __init__(
        self,
        base: str,
        tokens: Tokens | None,
        settings: ReceiverSettings,
        room: int = 0,
        *,
        calls: bool = True,
    ) -> None:
        """Get ready to print.

        Args:
            base: the receiver's address as others reach it.
            tokens: signs them; None on a machine's own loopback, where none are needed.
            settings: how long they are good.
            room: which room they lead to, 0 where there is one only.
            calls: whether one can call there; the list of all rooms can only be looked at.
        """
        self._base = f"{base}/{room}" if room else base
        self._room = room
        self._calls = calls
        self._tokens = tokens
        self._settings = settings
        self._call = self._watch = ""

    def links(self) -> Links:
        """Return the links as they are good now."""
        tokens, settings = self._tokens, self._settings
        if tokens is None:
            return Links(self._base, self._base if self._calls else "", room=self._room)
        if self._calls and not tokens.is_good(Role.CALL, self._call):
            self._call = tokens.issue(Role.CALL, settings.call_link_minutes * _MINUTE_S)
        if not tokens.is_good(Role.WATCH, self._watch):
            self._watch = tokens.issue(Role.WATCH, settings.watch_link_minutes * _MINUTE_S)
        watch, call = (f"{self._base}/#token={token}" for token in (self._watch, self._call))
        return Links(watch, call if self._calls else "", True, self._room)

    async def keep_telling(self, tell: Callable[[Links], None]) -> None:
        """Tell the links again whenever one has become useless."""
        told = self.links()
        while True:
            await asyncio.sleep(_LOOK_S)
            if (links := self.links()) != told:
                told = links
                tell(links)


def is_local(listener: socket.socket) -> bool:
    """Return whether only programs on this machine reach a listening socket."""
    address = listener.getsockname()[0].partition("%")[0]
    return ipaddress.ip_address(address).is_loopback


def reachable_url(listener: socket.socket, scheme: str) -> str:
    """Return the address under which other machines reach a listening socket.

    One that listens everywhere is named by the address this machine uses towards the world, which
    is found without sending anything.
    """
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = _own_address(listener.family)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _own_address(family: int) -> str:
    far = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"  # documentation's addresses
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far, 9))
        except OSError:  # no way out of this machine
            return "localhost"
        return str(probe.getsockname()[0])
