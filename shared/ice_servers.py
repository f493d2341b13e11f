"""The STUN and TURN servers of a connection, and time-limited credentials for the latter."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from aiortc import RTCIceServer

from shared.link_config import LinkSettings

# coturn logs it beside the expiry; it need not tell callers apart.
_NAME = "headcall"


def ice_servers(settings: LinkSettings, now_s: float | None = None) -> list[RTCIceServer]:
    """Return the servers to gather candidates with.

    Args:
        settings: their addresses, and the TURN server's secret or credentials made from it.
        now_s: Unix time; now by default.
    """
    username, password = settings.turn_username, settings.turn_password.get_secret_value()
    if secret := settings.turn_secret.get_secret_value():
        now_s = time.time() if now_s is None else now_s
        username, password = turn_credentials(secret, now_s + settings.turn_minutes * 60)
    return [
        RTCIceServer(urls=address, username=username or None, credential=password or None)
        if address.startswith("turn")
        else RTCIceServer(urls=address)
        for address in settings.ice_servers
    ]


def turn_credentials(secret: str, expiry_s: float, name: str = _NAME) -> tuple[str, str]:
    """Return a user name and password that coturn takes until their expiry.

    As coturn's ``use-auth-secret`` has it (draft-uberti-behave-turn-rest): the name says when it
    expires, and the password is its HMAC-SHA1 under the shared secret.

    Args:
        secret: coturn's ``static-auth-secret``.
        expiry_s: Unix time.
        name: told apart in coturn's log.
    """
    username = f"{int(expiry_s)}:{name}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()
