"""Where both would do, IPv4: its header is 20 bytes shorter than IPv6's, in every datagram.

aioice checks both at once, and a call goes by whichever is answered last. Here a check over IPv6
waits for a moment where there is one over IPv4 (as RFC 8305 has it, the other way round), and is
dropped when that is answered. A relay is no rival of a direct way. This file wraps two methods of
aioice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiortc import RTCPeerConnection

HEAD_START_S = 0.25  # RFC 8305, section 5


def prefer_short_headers(connection: RTCPeerConnection) -> None:
    """Let IPv4 go first; call before the connection's checks begin.

    Args:
        connection: one that has a data channel transport.
    """
    assert connection.sctp is not None
    ice: Any = connection.sctp.transport.transport._connection
    start: Callable[[Any], Awaitable[None]] = ice.check_start
    sort_by_priority: Callable[[], None] = ice.sort_check_list

    async def started(pair: Any) -> None:
        if _is_long(pair) and any(map(partial(_is_shorter, pair), ice._check_list)):
            # Cancelled meanwhile where a pair has been chosen.
            await asyncio.sleep(HEAD_START_S)
        await start(pair)

    def sort() -> None:
        # Stable: the first of equals is tried first, and while it waits nothing after it is.
        ice._check_list.sort(key=_is_long)
        sort_by_priority()

    ice.check_start, ice.sort_check_list = started, sort


def _is_long(pair: Any) -> bool:
    return ":" in pair.remote_addr[0]


def _is_shorter(pair: Any, other: Any) -> bool:
    """Return whether another pair has short headers and is no detour compared to this one."""
    kinds = [(one.local_candidate.type, one.remote_candidate.type) for one in (pair, other)]
    return not _is_long(other) and kinds[0] == kinds[1]
