"""Who may talk to the receiver's HTTP side: its own page and programs, no other web page."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Decides by the Host and Origin headers.

    A page elsewhere can make a visitor's browser send requests here. Its Origin gives it away,
    except where it points a name of its own at this address (DNS rebinding): then the Host does.
    """

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        """Trust addresses, names without a dot, and this machine's name.

        Args:
            allowed_hosts: further names, such as a proxy's.
        """
        name = socket.gethostname().lower()
        self._names = {name, f"{name}.local", *(host.strip().lower() for host in allowed_hosts)}

    def complaint(self, method: str, host: str, origin: str | None) -> str | None:
        """Return why a request is refused, or None when it is welcome."""
        if not self._knows(host):
            return (
                "this receiver is not known under that host name; "
                "list it in HEADCALL_ALLOWED_HOSTS to allow it"
            )
        reads = method in ("GET", "HEAD")
        if origin is not None and not reads and urlsplit(origin).netloc.lower() != host.lower():
            return "a page of another origin may not use this receiver"
        return None

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            # No public name is without a dot, so none of those can be pointed here from outside.
            return bool(name) and ("." not in name or name in self._names)
        return True
