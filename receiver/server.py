"""The web server around the application: its socket, its limits, and how it stops."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from receiver.bouncer import Bouncer
from receiver.patience import CONNECTIONS, PatientProtocol
from shared.errors import BadInputError

# Above PatientProtocol's own limit, and reached only by requests that are being answered.
_CONNECTIONS = 2 * CONNECTIONS
_HEADER_BYTES = 16 * 1024
# asyncio takes as many new connections in one turn of the loop as may queue for it. A call needs
# some fifty turns to come about, so that under a flood each must stay short: few are taken in a
# turn, and the others queue in the kernel.
_TAKEN_AT_ONCE = 4
_QUEUE = 256


@dataclass(frozen=True, slots=True)
class Tls:
    """What HTTPS needs, as PEM files.

    Attributes:
        certificate: the certificate, followed by those that lead to its authority.
        key: its private key, without a password.
    """

    certificate: Path
    key: Path

    def check(self) -> None:
        """Try them.

        Raises:
            BadInputError: one cannot be read, or they do not belong together.
        """
        for option, path in (("--tls-cert", self.certificate), ("--tls-key", self.key)):
            if not path.is_file():
                raise BadInputError(f"{option}: there is no file {path}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a function that gives one, OpenSSL asks the terminal for a password.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise BadInputError(
                f"{self.certificate} and {self.key} are not a PEM certificate and its key without "
                f"a password ({reason})"
            ) from error


class WebServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the caller, who has files to close first."""

    def __init__(
        self, app: FastAPI, tls: Tls | None = None, bouncer: Bouncer | None = None
    ) -> None:
        # uvicorn makes its connections itself; this is how they learn of ours.
        protocol = type("Connection", (PatientProtocol,), {"bouncer": bouncer})
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                http=protocol,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                h11_max_incomplete_event_size=_HEADER_BYTES,
                timeout_graceful_shutdown=3,
                backlog=_TAKEN_AT_ONCE,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, with a queue in the kernel that is longer than asyncio's turns."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_QUEUE)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """Open the listening socket.

    Args:
        host: name or address.
        port: 0 means any free one.

    Raises:
        BadInputError: the port is in use, or the address is not this machine's.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except socket.gaierror as error:
        raise BadInputError(f"--host {host}: no such host or address") from error
    except OSError as error:
        if listener is not None:
            listener.close()
        raise BadInputError(_why_not(host, port, error)) from error
    return listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the address to open in a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::", "127.0.0.1", "::1"):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextlib.contextmanager
def on_stop_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first Ctrl-C or termination signal; a second one acts as usual."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, before[number])
        stop()

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; end the program that uses it or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than you have; choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host} is not an address of this machine"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"
