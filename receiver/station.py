"""A caller's place: one photograph, one call at a time, and who watches it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receiver.call import Call
from receiver.figures import Figures, write_report
from receiver.metrics import Metrics
from receiver.outputs import numbered
from receiver.playout import Playout
from receiver.portrait import Portrait
from receiver.sinks import Sink, Sinks
from receiver.whep import Watchers
from shared.claim import Claim
from shared.link_stats import LinkStats
from shared.sdp import SignallingError
from shared.tasks import spawn
from shared.transport import CallReceiver

log = logging.getLogger(__name__)

_SAMPLE_S = 1.0
_FINISH_S = 15.0


@dataclass(frozen=True, slots=True)
class StationOptions:
    """What the command line says about calls.

    Attributes:
        own_reference: the photograph is the receiver's; senders bring none.
        delay_ms: the playout's fixed delay.
        face_model: fingerprint of the face model.
        report: where to write each call's figures, or None.
        preset: generator preset, for display.
        engine: engine that runs it, for display.
    """

    own_reference: bool
    delay_ms: float
    face_model: str
    report: Path | None
    preset: str
    engine: str


class Station:
    """Answers callers; everything here runs on the event loop.

    Attributes:
        on_over: told at the end of a call whether it had come about.
    """

    def __init__(
        self,
        portrait: Portrait,
        watchers: Watchers,
        options: StationOptions,
        sinks: Sequence[Sink] = (),
    ) -> None:
        """Open for callers.

        Args:
            portrait: the photograph, taken already where the receiver brings its own.
            watchers: the web page's.
            options: from the command line.
            sinks: further places for the pictures.
        """
        self.portrait = portrait
        self.watchers = watchers
        self.metrics = Metrics()
        self.call_ended = asyncio.Event()
        self.on_over: Callable[[bool], None] = lambda began: None
        self._options = options
        self._sinks = Sinks([watchers, *sinks, self.metrics])
        self._call: Call | None = None
        self._call_id = ""
        self._finished = asyncio.Event()
        self._finished.set()
        self._calls_reported = 0
        self._ticker = spawn(self._tick(), "figures")

    async def take_call(self, offer: str, claim: Claim | None = None) -> tuple[str, str]:
        """Answer a caller's offer: the first of a call, or another of the one that is on.

        Args:
            offer: the offer.
            claim: what the caller says about it.

        Args:
            offer: one that ``shared.sdp.check_description`` has passed: others would take the
                place from honest callers, if only for a moment.

        Returns:
            The call's id and the answer.

        Raises:
            SignallingError: another call is on, the one to take up again is over, or the offer
                cannot be answered.
        """
        claim = claim or Claim()
        if (link := self._own_link(offer, claim)) is not None:
            return self._call_id, await link.take(offer, claim)
        # An earlier call that has ended may still be writing its file.
        async with asyncio.timeout(_FINISH_S):
            await self._finished.wait()
        if (link := self._own_link(offer, claim)) is not None:
            return self._call_id, await link.take(offer, claim)
        call = self._new_call()  # takes the place before the first await below
        link = CallReceiver(call)
        call.connect(link)
        call_id = self._call_id
        try:
            answer = await link.take(offer, claim)
        except BaseException:
            call.on_closed("the offer was refused")
            raise
        if call.reason is not None:  # the receiver was told to stop meanwhile
            await link.close(call.reason)
            raise SignallingError("this receiver is stopping; try again later", 503)
        self.metrics.begin_call()
        return call_id, answer

    async def hang_up(self, call_id: str, reason: str) -> bool:
        """End the call of this id; False when it is not on."""
        call = self._call
        if call is None or call.reason is not None or call_id != self._call_id:
            return False
        await call.hang_up(reason)
        return True

    async def close(self, reason: str) -> None:
        """End the call, let the watchers go, and wait until files are written."""
        if self._call is not None and self._call.reason is None:
            await self._call.hang_up(reason)
        try:
            async with asyncio.timeout(_FINISH_S):
                await self._finished.wait()
        except TimeoutError:
            log.error("the call could not be finished in %.0f s", _FINISH_S)
        await self.watchers.close()
        self._ticker.cancel()

    @property
    def busy(self) -> bool:
        """Whether a call is on, or is being finished."""
        return not self._finished.is_set()

    async def wait_until_free(self) -> None:
        """Wait until no call is on and the files of the last are written."""
        await self._finished.wait()

    def stats(self) -> dict[str, Any]:
        """Return the running figures."""
        call = self._call
        link = call.link_stats() if call else None
        running = call.figures.running() if call else Figures(keep_rows=False).running()
        if call is None or call.reason is not None:
            running = dict.fromkeys(running, 0.0)
        latency = call.figures.latest_latency_ms if call else None
        return {
            "state": self._state(),
            **running,
            "latency_ms": None if latency is None else round(latency, 1),
            "rtt_ms": link.rtt_ms if link else None,
            "lost": link.lost if link else 0,
            "loss": _loss(link),
            "frames_shown": call.figures.shown if call else 0,
            "sound": call is not None and call.reason is None and call.hearing.packets > 0,
            "reference": self.portrait.tag,
            "reconnects": link.reconnects if link else 0,
            "watchers": len(self.watchers),
            "preset": self._options.preset,
            "engine": self._options.engine,
        }

    def metrics_text(self) -> bytes:
        """Return the figures in Prometheus form."""
        self._sample()
        return self.metrics.render()

    def _state(self) -> str:
        call = self._call
        if call is None or not call.began:
            return "waiting"
        if call.reason is not None:
            return "ended"
        if call.reconnecting:
            return "reconnecting"
        return "live" if call.figures.shown else "waiting"

    def _own_link(self, offer: str, claim: Claim) -> CallReceiver | None:
        """Return the call that an offer belongs to, None where it begins one.

        Raises:
            SignallingError: it may do neither.
        """
        call = self._call if self._call is not None and self._call.reason is None else None
        over = call is None or (call.link is not None and call.link.is_over())
        if over and claim.proof:
            raise SignallingError("the call this offer would take up again is over", 410)
        if call is None:
            return None
        if call.link is not None and call.link.owns(claim, offer):
            return call.link
        sentence = "this receiver is in a call with someone else; try again later"
        if call.reconnecting:
            sentence = "this receiver waits for a caller who was cut off; try again in a minute"
        raise SignallingError(sentence, 409)

    def _new_call(self) -> Call:
        self._finished.clear()
        self._call_id = secrets.token_urlsafe(16)
        self._call = Call(
            self.portrait,
            self._sinks,
            Playout(self._options.delay_ms),
            Figures(keep_rows=self._options.report is not None),
            wants_reference=not self._options.own_reference,
            face_model=self._options.face_model,
            on_end=self._on_end,
        )
        return self._call

    def _on_end(self, call: Call) -> None:
        spawn(self._after(call), "report the call")

    async def _after(self, call: Call) -> None:
        try:
            self._sample()
            if call.began and self._options.report is not None:
                self._calls_reported += 1
                path = numbered(self._options.report, self._calls_reported)
                report = call.figures.report(call.link_stats())
                await asyncio.to_thread(write_report, path, report)
        except OSError as error:
            log.error("the report could not be written: %s", error)
        finally:
            self._finished.set()
            self.on_over(call.began)
            if call.began:
                self.call_ended.set()

    async def _tick(self) -> None:
        while True:
            self._sample()
            await asyncio.sleep(_SAMPLE_S)

    def _sample(self) -> None:
        self.metrics.live.set(self._state() == "live")
        self.metrics.watchers.set(len(self.watchers))
        self.metrics.tasks.set(len(asyncio.all_tasks()))
        if self._call is None:
            return
        self._call.sample()
        if (link := self._call.link_stats()) is not None:
            wire = link.wire_bytes_sent + link.wire_bytes_received
            counts = self._call.playout.counts
            self.metrics.sample(counts, link.lost, link.payload_bytes, wire)


def _loss(link: LinkStats | None) -> float:
    if link is None or link.lost + link.packets == 0:
        return 0.0
    return round(link.lost / (link.lost + link.packets), 4)
