"""How long a packet of frames is on its way through a data channel on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter

from shared.clock import monotonic_ms
from shared.errors import UnreachableError
from shared.link import PARAMS_CHANNEL, REFERENCE_CHANNEL, Link
from shared.link_config import link_settings
from shared.messages import Message
from shared.tally import Tally

CONNECT_S = 20.0
ARRIVAL_S = 5.0


async def passages(packets: Sequence[bytes], gap_s: float) -> list[float]:
    """Send packets one by one over a real connection, with both of its ends in this process.

    Args:
        packets: what to send.
        gap_s: seconds between one's arrival and the next one's sending.

    Returns:
        Milliseconds from the call that sends to the handler that receives, for each packet that
        arrived; ICE, DTLS, SCTP and the kernel's loopback lie between.

    Raises:
        UnreachableError: no connection comes about.
    """
    arrived: asyncio.Queue[float] = asyncio.Queue(1)

    def take(link: Link, packet: bytes) -> None:
        if arrived.empty():
            arrived.put_nowait(perf_counter())

    near, far = _link(_ignore, sends=True), _link(take, sends=False)
    times = []
    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await _connect(near, far)
        except TimeoutError as error:
            raise UnreachableError("a connection within this machine did not come about") from error
        for packet in packets:
            start = perf_counter()
            near.send_packet(packet, 1)
            try:
                async with asyncio.timeout(ARRIVAL_S):
                    times.append(1000 * (await arrived.get() - start))
            except TimeoutError:
                continue  # lost: the channel does not repeat
            await asyncio.sleep(gap_s)
    finally:
        for link in (near, far):
            await link.close("measured")
    return times


async def _connect(near: Link, far: Link) -> None:
    opened = asyncio.Event()
    far.connection.on("datachannel", far.adopt)
    near.adopt(near.connection.createDataChannel(REFERENCE_CHANNEL))
    params = near.connection.createDataChannel(PARAMS_CHANNEL, ordered=False, maxRetransmits=0)
    params.on("open", opened.set)
    near.adopt(params)
    await near.connection.setLocalDescription(await near.connection.createOffer())
    near.watch()
    await far.connection.setRemoteDescription(near.connection.localDescription)
    await far.connection.setLocalDescription(await far.connection.createAnswer())
    far.watch()
    await near.connection.setRemoteDescription(far.connection.localDescription)
    await opened.wait()


def _link(take: Callable[[Link, bytes], None], *, sends: bool) -> Link:
    def no_message(link: Link, message: Message) -> None:
        """Take no notice."""

    return Link(monotonic_ms, no_message, take, link_settings(), Tally(), sends_frames=sends)


def _ignore(link: Link, packet: bytes) -> None:
    """Take no notice of a packet that nobody sends."""
