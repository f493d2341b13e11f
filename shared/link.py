"""One connection of a call: two data channels, signs of life, one end.

A call has one link after another, and several while it looks for the next (`shared.lifeline`).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from shared.consent import Consent
from shared.datagram_guard import guard_datagrams
from shared.delayed_sack import DelayedSack
from shared.handshake import hasten
from shared.ice_servers import ice_servers
from shared.inbound_guard import InboundGuard
from shared.link_config import LinkSettings
from shared.loopback import allow_loopback
from shared.messages import TEXT_LIMIT, Bye, Message, Ping, decode, encode
from shared.outbound import drain, unsent
from shared.pulse import Pulse
from shared.short_headers import prefer_short_headers
from shared.short_records import prefer_short_records
from shared.tally import Tally
from shared.tasks import spawn
from shared.voice_inbox import VoiceInbox, VoicePacket
from shared.voice_track import VoiceTrack
from shared.wire_errors import DuplicateError, StaleKeyError, TooOldError, WireError

log = logging.getLogger(__name__)

REFERENCE_CHANNEL = "reference"
PARAMS_CHANNEL = "params"
FIRST_PINGS = 2

# What loss and reordering do to honest packets: counted as lost, not held against the peer.
_HONEST = (DuplicateError, TooOldError, StaleKeyError)


class Link:
    """One peer connection, from the first datagram to the reason of its end.

    Attributes:
        closed: done with the reason once the connection is gone.
        final: whether it ended by a goodbye or a breach of the protocol, which ends the call,
            and not because the network lost it.
        said_bye: whether the other side ended the call with a goodbye.
        greeted: whether a receiver has taken the caller's hello; kept for the owner.
        on_heard: called for every sign of life of the other side.
        on_voice: called for every packet of sound from the other side.
        voice: takes this side's sound; None where it sends none.
    """

    def __init__(
        self,
        now_ms: Callable[[], float],
        on_message: Callable[[Link, Message], None],
        on_packet: Callable[[Link, bytes], None],
        settings: LinkSettings,
        tally: Tally,
        *,
        sends_frames: bool,
        sends_sound: bool = False,
    ) -> None:
        """Make a connection that has not begun.

        Args:
            now_ms: this side's clock, as sent in pings.
            on_message: takes session messages other than bye; may raise WireError.
            on_packet: takes frame packets; may raise WireError.
            settings: timings and limits.
            tally: counts of the whole call.
            sends_frames: whether this is the sender's end.
            sends_sound: whether it has sound to send too.
        """
        allow_loopback()
        self.connection = RTCPeerConnection(
            RTCConfiguration(
                iceServers=ice_servers(settings), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
            )
        )
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.final = self.said_bye = self.greeted = False
        self.on_heard: Callable[[], None] = lambda: None
        self.on_voice: Callable[[VoicePacket], None] = lambda packet: None
        self.voice = _add_voice(self.connection) if sends_sound else None
        self.reference: RTCDataChannel | None = None
        self.params: RTCDataChannel | None = None
        self._settings = settings
        self._tally = tally
        self._now_ms = now_ms
        self._on_message = on_message
        self._on_packet = on_packet
        self._sends_frames = sends_frames
        self._heard_ms = self._sent_ms = self._asked_ms = now_ms()
        self._sack: DelayedSack | None = None
        self._gathering: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._early_replies = FIRST_PINGS
        self.connection.on("connectionstatechange", self._on_state)

    async def describe(self, description: RTCSessionDescription) -> None:
        """Set this side's description, which opens the connection's sockets.

        aioice forgets the sockets it has opened when it is cancelled before it has them all: so
        it is not, and closing waits for it (5 seconds at most, where a server does not answer).
        """
        self._gathering = spawn(
            self.connection.setLocalDescription(description), "gathering candidates"
        )
        await asyncio.shield(self._gathering)

    def watch(self) -> None:
        """Count and guard the connection; call between gathering and the first exchange."""
        assert self.connection.sctp is not None
        guard_datagrams(self.connection.sctp.transport)
        self._tally.meter.attach(self.connection)
        InboundGuard(self.connection, self.end_call)
        VoiceInbox(self.connection, lambda packet: self.on_voice(packet))
        hasten(self.connection)
        prefer_short_headers(self.connection)
        prefer_short_records(self.connection)
        Consent(self.connection)
        only_acks = self._sends_frames
        Pulse(self.connection, self._heard, self._missed, only_acknowledgements=only_acks)
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
            self.end_call("the other side opened a channel that no call has")
            return
        channel.on("close", lambda: self.end("the other side left"))

    def start_pings(self) -> None:
        """Begin to send signs of life and to notice their absence."""
        if self._pinging is None:
            self._pinging = spawn(self._ping_on(), "pings")

    def send(self, message: Message) -> None:
        """Send a session message; dropped when the connection is gone."""
        if self.reference is not None and self.reference.readyState == "open":
            self.reference.send(encode(message))
            self._count_sent()

    def send_packet(self, packet: bytes, frames: int) -> None:
        """Send a packet of frames on the open params channel and count it."""
        assert self.params is not None
        self.count_packet(packet, frames)
        self._tally.packets_sent += 1
        self._count_sent()
        self.params.send(packet)

    def count_packet(self, packet: bytes, frames: int) -> None:
        """Count a packet of frames sent or taken in."""
        self._tally.count_packet(packet, frames, self._now_ms())

    def is_over(self) -> bool:
        """Return whether the connection is ending or has ended."""
        return self._ending is not None

    def end(self, reason: str) -> None:
        """Begin to close the connection, once; the first reason stands."""
        if self._ending is None:
            self._ending = spawn(self._finish(reason, 0.0), "closing a connection")

    def end_call(self, reason: str) -> None:
        """Begin to close the connection for a reason that ends the whole call."""
        self.final = self.final or self._ending is None
        self.end(reason)

    async def close(self, reason: str) -> None:
        """Say goodbye, let it leave, and close the connection; returns when it is closed."""
        if self._ending is None:
            self.final = True
            self._say_bye(reason)
            self._ending = spawn(
                self._finish(reason, self._settings.drain_s), "closing a connection"
            )
        await asyncio.shield(self.closed)

    def _say_bye(self, reason: str) -> None:
        self.send(Bye(reason[:TEXT_LIMIT], self._tally.packets_sent))

    async def _finish(self, reason: str, drain_s: float) -> None:
        try:
            await drain(self.connection, drain_s)
            if self._pinging is not None:
                self._pinging.cancel()
            if self._sack is not None:
                self._sack.stop()
            if self._gathering is not None:
                await asyncio.wait({self._gathering})
            await self.connection.close()
        finally:
            log.debug("a connection ended: %s", reason)
            if not self.closed.done():
                self.closed.set_result(reason)

    def _on_state(self) -> None:
        if self.connection.connectionState in ("failed", "closed"):
            self.end("the connection to the other side was lost")

    async def _ping_on(self) -> None:
        for count in range(1 << 62):
            # What a dead link has not delivered asks again by itself, and must not grow into a
            # pile that arrives when the link comes back.
            if not self._is_silent() or not unsent(self.connection):
                self._ping()
            early = count < FIRST_PINGS
            await self._until_ping(self._settings.first_ping_s if early else self._settings.ping_s)

    async def _until_ping(self, pause_s: float) -> None:
        """Wait until it is time for the next ping."""
        self._asked_ms = self._now_ms()
        until_ms = self._asked_ms + pause_s * 1000
        while True:
            left_ms = min(until_ms, self._urgent_ms()) - self._now_ms()
            if left_ms <= 0:
                return
            await asyncio.sleep(left_ms / 1000)

    def _urgent_ms(self) -> float:
        """Return when a ping is wanted before its time, as things stand.

        A sender has something to say at least every second, so that on a link that works nobody
        has to ask. After a longer silence the other side is asked, and asked again, until it is
        clear that the link is cut.
        """
        settings = self._settings
        if self._is_silent():
            return math.inf
        ask_ms = max(
            self._heard_ms + settings.probe_s * 1000, self._asked_ms + settings.probe_every_s * 1000
        )
        if not self._sends_frames:
            return ask_ms
        return min(ask_ms, max(self._sent_ms, self._asked_ms) + settings.idle_s * 1000)

    def _is_silent(self) -> bool:
        return self._now_ms() - self._heard_ms >= self._settings.silence_s * 1000

    def _ping(self) -> None:
        tally = self._tally
        self.send(tally.clock.ping(self._now_ms(), sent=tally.packets_sent, lost=tally.missing))

    def _session_bytes(self, data: bytes | str) -> None:
        self._tally.messages_received += 1
        if self._ending is not None:
            return
        complaints = self._tally.session_complaints
        try:
            if isinstance(data, str):
                raise WireError("a session message must be binary")
            self._dispatch(decode(data))
        except WireError as error:
            complaints.add(error)
            if complaints.total > self._settings.malformed_limit:
                sentence = "too many messages that follow no protocol"
                self._say_bye(sentence)
                self.end_call(f"the other side sent {sentence}")

    def _dispatch(self, message: Message) -> None:
        if isinstance(message, Bye):
            self._tally.count_lost(message.sent, self._tally.lost)
            self.said_bye = True
            self.end_call(message.reason)
            return
        if isinstance(message, Ping):
            self._tally.clock.heard(message, self._now_ms())
            self._tally.count_lost(message.sent, message.lost)
            # Answered at once while the other side knows no clock, but not without end.
            if message.echo_ms < 0 and self._early_replies > 0:
                self._early_replies -= 1
                self._ping()
        self._on_message(self, message)

    def _packet_bytes(self, data: bytes | str) -> None:
        self._tally.messages_received += 1
        if self._ending is not None:
            return
        try:
            if isinstance(data, str):
                raise WireError("a frame packet must be binary")
            self._on_packet(self, data)
        except _HONEST as error:
            self._tally.late_complaints.add(error)
        except WireError as error:
            self._tally.packet_complaints.add(error)

    def _count_sent(self) -> None:
        self._tally.messages_sent += 1
        self._sent_ms = self._now_ms()

    def _missed(self) -> None:
        self._tally.missed_ms = self._now_ms()

    def _heard(self) -> None:
        self._heard_ms = self._now_ms()
        self.on_heard()


def _add_voice(connection: RTCPeerConnection) -> VoiceTrack:
    track = VoiceTrack()
    transceiver = connection.addTransceiver(track, "sendonly")
    codecs = RTCRtpSender.getCapabilities("audio").codecs
    transceiver.setCodecPreferences([one for one in codecs if one.mimeType == "audio/opus"])
    return track
