"""What both ends of a call have in common: two data channels, signs of life, counts, one end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection

from shared.clock import ClockEstimate
from shared.complaints import Complaints
from shared.datagram_guard import guard_datagrams
from shared.delayed_sack import DelayedSack
from shared.ice_servers import ice_servers
from shared.inbound_guard import InboundGuard
from shared.link_config import LinkSettings
from shared.link_meter import LinkMeter
from shared.link_stats import LinkStats
from shared.loopback import allow_loopback
from shared.messages import TEXT_LIMIT, Bye, Message, Ping, decode, encode
from shared.outbound import drain
from shared.tasks import spawn
from shared.wire_errors import DuplicateError, StaleKeyError, TooOldError, WireError

log = logging.getLogger(__name__)

REFERENCE_CHANNEL = "reference"
PARAMS_CHANNEL = "params"
FIRST_PINGS = 3

# What loss and reordering do to honest packets: counted as lost, not held against the peer.
_HONEST = (DuplicateError, TooOldError, StaleKeyError)


class Link:
    """One peer connection of a call, from the first datagram to the reason of its end.

    Attributes:
        closed: done with the reason once the connection is gone.
        said_bye: whether the other side ended the call with a goodbye.
        frames: frames sent (a sender) or taken in (a receiver), as counted by the owner.
    """

    def __init__(
        self,
        now_ms: Callable[[], float],
        on_message: Callable[[Message], None],
        on_packet: Callable[[bytes], None],
        settings: LinkSettings,
    ) -> None:
        """Make a connection that has not begun.

        Args:
            now_ms: this side's clock, as sent in pings.
            on_message: takes session messages other than ping and bye; may raise WireError.
            on_packet: takes frame packets; may raise WireError.
            settings: timings and limits.
        """
        allow_loopback()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=ice_servers(settings)))
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.said_bye = False
        self.clock = ClockEstimate()
        self.meter = LinkMeter()
        self.settings = settings
        self.frames = self.frames_skipped = self.payload_bytes = self.lost = 0
        self.reference: RTCDataChannel | None = None
        self.params: RTCDataChannel | None = None
        self._now_ms = now_ms
        self._on_message = on_message
        self._on_packet = on_packet
        self._session_complaints = Complaints("session message")
        self._packet_complaints = Complaints("frame packet")
        self._late_complaints = Complaints("order of packets", level=logging.DEBUG)
        self._sent_messages = self._received_messages = 0
        self._frames_sent = 0
        self._heard_ms = now_ms()
        self._first_frame_ms: float | None = None
        self._setup_bytes = 0
        self._sack: DelayedSack | None = None
        self._ending: asyncio.Task[None] | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._early_replies = FIRST_PINGS
        self.connection.on("connectionstatechange", self._on_state)

    def watch(self) -> None:
        """Count and guard the connection; call between gathering and the first exchange."""
        assert self.connection.sctp is not None
        guard_datagrams(self.connection.sctp.transport)
        self.meter.attach(self.connection)
        InboundGuard(self.connection, self.end)
        self._sack = DelayedSack(self.connection)

    def adopt(self, channel: RTCDataChannel) -> None:
        """Take one of the call's two channels; any other ends the call."""
        if channel.label == REFERENCE_CHANNEL and self.reference is None:
            self.reference = channel
            channel.on("message", self._session_bytes)
        elif channel.label == PARAMS_CHANNEL and self.params is None:
            self.params = channel
            channel.on("message", self._packet_bytes)
        else:
            self.end("the other side opened a channel that no call has")
            return
        channel.on("close", lambda: self.end("the other side left"))

    def start_pings(self) -> None:
        """Begin to send signs of life and to notice their absence."""
        if self._pinging is None:
            self._pinging = spawn(self._ping_on(), "pings")

    def send(self, message: Message) -> None:
        """Send a session message; dropped when the call is over."""
        if self.reference is not None and self.reference.readyState == "open":
            self.reference.send(encode(message))
            self._sent_messages += 1

    def send_packet(self, packet: bytes) -> None:
        """Send a frame packet on the open params channel and count it."""
        assert self.params is not None
        self.count_frame(packet)
        self._frames_sent += 1
        self._sent_messages += 1
        self.params.send(packet)

    def count_frame(self, packet: bytes) -> None:
        """Count a frame sent or taken in."""
        if self._first_frame_ms is None:
            self._first_frame_ms = self._now_ms()
            self._setup_bytes = self.meter.bytes_sent + self.meter.bytes_received
        self.frames += 1
        self.payload_bytes += len(packet)

    def is_over(self) -> bool:
        """Return whether the call is ending or has ended."""
        return self._ending is not None

    def end(self, reason: str) -> None:
        """Begin to close the connection, once; the first reason stands."""
        if self._ending is None:
            self._ending = spawn(self._finish(reason, 0.0), "closing a call")

    async def close(self, reason: str) -> None:
        """Say goodbye, let it leave, and close the connection; returns when it is closed."""
        if self._ending is None:
            self._say_bye(reason)
            self._ending = spawn(self._finish(reason, self.settings.drain_s), "closing a call")
        await asyncio.shield(self.closed)

    def stats(self, clock_offset_ms: float | None) -> LinkStats:
        """Return the figures so far; the owner knows the sign of the clock offset."""
        start_ms = self._first_frame_ms
        return LinkStats(
            payload_bytes=self.payload_bytes,
            wire_bytes_sent=self.meter.bytes_sent,
            wire_bytes_received=self.meter.bytes_received,
            wire_bytes_setup=self._setup_bytes,
            messages_sent=self._sent_messages,
            messages_received=self._received_messages,
            frames=self.frames,
            frames_skipped=self.frames_skipped,
            lost=self.lost,
            malformed=self._session_complaints.total + self._packet_complaints.total,
            rtt_ms=self.clock.rtt_ms,
            clock_offset_ms=clock_offset_ms,
            elapsed_s=0.0 if start_ms is None else (self._now_ms() - start_ms) / 1000,
        )

    def _say_bye(self, reason: str) -> None:
        self.send(Bye(reason[:TEXT_LIMIT], self._frames_sent))

    async def _finish(self, reason: str, drain_s: float) -> None:
        try:
            await drain(self.connection, drain_s)
            if self._pinging is not None:
                self._pinging.cancel()
            if self._sack is not None:
                self._sack.stop()
            await self.connection.close()
        finally:
            log.info("the call ended: %s", reason)
            if not self.closed.done():
                self.closed.set_result(reason)

    def _on_state(self) -> None:
        if self.connection.connectionState in ("failed", "closed"):
            self.end("the connection to the other side was lost")

    async def _ping_on(self) -> None:
        warned = False
        for count in range(1 << 62):
            silent_s = (self._now_ms() - self._heard_ms) / 1000
            if silent_s > self.settings.give_up_s:
                self.end(f"nothing was heard from the other side for {silent_s:.0f} s")
                return
            if silent_s > self.settings.silence_s and not warned:
                log.warning("nothing heard from the other side for %.0f s", silent_s)
            warned = silent_s > self.settings.silence_s
            # A dead link must not pile up pings that all arrive when it comes back.
            if self.reference is not None and self.reference.bufferedAmount == 0:
                self._ping()
            early = count < FIRST_PINGS
            await asyncio.sleep(self.settings.first_ping_s if early else self.settings.ping_s)

    def _ping(self) -> None:
        self.send(self.clock.ping(self._now_ms(), sent=self._frames_sent, lost=self._missing))

    @property
    def _missing(self) -> int:
        return 0 if self._frames_sent else self.lost

    def _session_bytes(self, data: bytes | str) -> None:
        self._heard()
        if self._ending is not None:
            return
        try:
            if isinstance(data, str):
                raise WireError("a session message must be binary")
            self._dispatch(decode(data))
        except WireError as error:
            self._session_complaints.add(error)
            if self._session_complaints.total > self.settings.malformed_limit:
                sentence = "too many messages that follow no protocol"
                self._say_bye(sentence)
                self.end(f"the other side sent {sentence}")

    def _dispatch(self, message: Message) -> None:
        if isinstance(message, Ping):
            self.clock.heard(message, self._now_ms())
            self._count_lost(message.sent, message.lost)
            # Answered at once while the other side knows no clock, but not without end.
            if message.echo_ms < 0 and self._early_replies > 0:
                self._early_replies -= 1
                self._ping()
        elif isinstance(message, Bye):
            self._count_lost(message.sent, self.lost)
            self.said_bye = True
            self.end(message.reason)
        else:
            self._on_message(message)

    def _count_lost(self, peer_sent: int, peer_lost: int) -> None:
        """A sender takes its receiver's word; a receiver compares what was sent with what came."""
        if self._frames_sent:
            self.lost = min(peer_lost, self._frames_sent)
        else:
            self.lost = max(0, peer_sent - self.frames)

    def _packet_bytes(self, data: bytes | str) -> None:
        self._heard()
        if self._ending is not None:
            return
        try:
            if isinstance(data, str):
                raise WireError("a frame packet must be binary")
            self._on_packet(data)
        except _HONEST as error:
            self._late_complaints.add(error)
        except WireError as error:
            self._packet_complaints.add(error)

    def _heard(self) -> None:
        self._received_messages += 1
        self._heard_ms = self._now_ms()
