"""One call over an emulated link: the real commands at its two ends, and what came of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import numpy as np
from pydantic import BaseModel, ValidationError

from benchmarks.call import HANG_UP_TIMEOUT_S, READY_TIMEOUT_S, ReceiverReport
from benchmarks.child import Child, ChildFailedError
from benchmarks.emulator import EmulatedLink
from benchmarks.profiles import Profile
from benchmarks.relay import RECEIVER_ADDRESS, Traffic
from benchmarks.smoothness import freeze_ratio, freezes, percentiles, stale
from shared.clock import monotonic_ms
from shared.errors import UNREACHABLE

# Joining is given 30 s by the design; the rest is for starting and for hanging up.
_ALLOWANCE_S = 75.0
_LOOK_S = 0.2
_LINK_LINE = re.compile(r"^Call with: sender (\S+)", re.MULTILINE)
_WATCH_LINE = re.compile(r"^Watch at (\S+)", re.MULTILINE)


class Stamps(BaseModel):
    """Moments of the sender's call on this machine's clock, milliseconds."""

    clock_start: float
    joining: float | None
    first_sent: float | None
    ended: float | None


class NetworkSender(BaseModel):
    """What of ``sender --report`` is needed here; a call that failed leaves one too."""

    frames_sent: int = 0
    wire_kbps: float = 0.0
    stamps_ms: Stamps | None = None


class NetworkReceiver(ReceiverReport):
    """What ``receiver --report`` writes."""

    reconnects: int = 0


@dataclass(frozen=True, slots=True)
class NetworkCall:
    """A call that is over.

    Attributes:
        profile: the link's.
        seconds: how long it was meant to be.
        setting: the sender's ``--latency``; None for its default.
        sender: its figures; None when it left none.
        receiver: its figures; None when no call began.
        traffic: what entered the link.
        failure: the sender's sentence when it did not reach the end; None when all went well.
    """

    profile: Profile
    seconds: float
    setting: str | None
    sender: NetworkSender | None
    receiver: NetworkReceiver | None
    traffic: Traffic
    failure: str | None

    @property
    def stamps(self) -> Stamps | None:
        """The sender's stamps."""
        return self.sender.stamps_ms if self.sender else None

    @property
    def shown_ms(self) -> list[float]:
        """When each picture was shown, on this machine's clock."""
        return [row.shown_ms for row in self.receiver.frames] if self.receiver else []

    @property
    def latency_ms(self) -> list[float]:
        """From capture to showing, for each picture.

        Both ends run on this machine and share its monotonic clock, so this is the true latency
        and not the call's own estimate of it.
        """
        if self.receiver is None or self.stamps is None:
            return []
        start = self.stamps.clock_start
        return [row.shown_ms - row.captured_ms - start for row in self.receiver.frames]

    @property
    def end_ms(self) -> float:
        """When the call ended, or should have where it broke off."""
        stamps = self.stamps
        if stamps is None or stamps.first_sent is None or stamps.ended is None:
            return 0.0
        if self.failure is None:
            return stamps.ended
        return max(stamps.ended, stamps.first_sent + 1000 * self.seconds)

    def wire_kbps(self) -> float:
        """Return all bytes of IP packets put on the link, both ways, from the first frame on."""
        stamps = self.stamps
        if stamps is None or stamps.first_sent is None or stamps.ended is None:
            return 0.0
        size = sum(
            passage.size
            for passage in self.traffic.passages
            if stamps.first_sent <= passage.entered_ms <= stamps.ended
        )
        return size * 8 / max(stamps.ended - stamps.first_sent, 1.0)


def run_call(
    profile: Profile,
    clip: Path,
    folder: Path,
    seconds: float,
    *,
    setting: str | None = None,
    seed: int = 1,
    on_start: Callable[[], None] = lambda: None,
    tick: Callable[[], None] = lambda: None,
) -> NetworkCall:
    """Make a call over an emulated link.

    A sender that does not reach the receiver, or loses it, is a result and no error.

    Args:
        profile: how the link behaves.
        clip: the sender's source, played again and again.
        folder: takes the reports and the logs; exists.
        seconds: how long the sender sends.
        setting: for ``sender --latency``; None leaves it away.
        seed: of the link's chances.
        on_start: called when the first picture is shown; cuts and spells count from here.
        tick: called ten times a second throughout.

    Raises:
        BadInputError: no link can be emulated here.
        ChildFailedError: one of the two commands failed otherwise, or hung.
    """
    reports = folder / "receiver.json", folder / "sender.json"
    for old in reports:
        old.unlink(missing_ok=True)
    serve = ["--host", RECEIVER_ADDRESS, "--port", "0", "--once", "--report", str(reports[0])]
    with (
        EmulatedLink(profile, seed) as link,
        Child("receiver", serve, folder / "receiver.log", link.at_receiver) as receiver,
    ):
        # The watching link is printed first.
        receiver.wait_until(lambda: bool(_printed(_LINK_LINE, receiver)), READY_TIMEOUT_S, tick)
        url = _printed(_LINK_LINE, receiver)
        start = _Start(link, _printed(_WATCH_LINE, receiver), on_start)

        def watch() -> None:
            receiver.check()
            start.look()
            tick()

        send = [url, "--source", str(clip), "--loop", "--seconds", str(seconds)]
        send += ["--report", str(reports[1])]
        send += ["--latency", setting] if setting else []
        failure = None
        with Child("sender", send, folder / "sender.log", link.at_sender) as sender:
            try:
                sender.wait(seconds + _ALLOWANCE_S, watch)
            except ChildFailedError:
                if sender.exit_code != UNREACHABLE:
                    raise
                failure = _last_sentence(sender)
        if start.seen:
            _let_finish(receiver, tick)
        receiver.stop()
        traffic = link.traffic()
    received, sent = _read(reports[0], NetworkReceiver), _read(reports[1], NetworkSender)
    return NetworkCall(profile, seconds, setting, sent, received, traffic, failure)


def summarise(call: NetworkCall) -> dict[str, Any]:
    """Return a call's figures; the keys of network.json."""
    shown, latency, stamps = call.shown_ms, call.latency_ms, call.stamps
    whole_ms = call.end_ms - shown[0] if shown else 0.0
    setup_s = None
    if shown and stamps is not None and stamps.joining is not None:
        setup_s = round((shown[0] - stamps.joining) / 1000, 2)
    late = [passage.late_ms for passage in call.traffic.passages]
    return {
        "profile": call.profile.name,
        "frames_sent": call.sender.frames_sent if call.sender else 0,
        "frames_shown": len(shown),
        "freeze_ratio": round(freeze_ratio(shown, call.end_ms), 4),
        "latency_ms": percentiles(latency),
        "setup_s": setup_s,
        "wire_kbps": round(call.wire_kbps(), 2),
        "stale_shown": len(stale(shown, latency)),
        "reconnects": call.receiver.reconnects if call.receiver else 0,
        "about": call.profile.about,
        "latency_setting": call.setting,
        "seconds": call.seconds,
        "shown_fps": round(len(shown) * 1000 / whole_ms, 2) if whole_ms > 0 else 0.0,
        "longest_gap_ms": round(max(np.diff([*shown, call.end_ms]), default=0.0), 1),
        "freezes_s": [
            [round((moment - shown[0]) / 1000, 2) for moment in freeze]
            for freeze in freezes(shown, call.end_ms)
        ],
        "sender_wire_kbps": call.sender.wire_kbps if call.sender else 0.0,
        "link": {"up": _counts(call.traffic, True), "down": _counts(call.traffic, False)},
        "relay_late_ms_p99": percentiles(late)["p99"],
        "load_average": round(os.getloadavg()[0], 2),
        "cores": os.cpu_count(),
        "failed": call.failure,
    }


class _Start:
    """Notices the first picture and tells the link that the call has begun."""

    def __init__(self, link: EmulatedLink, watch: str, on_start: Callable[[], None]) -> None:
        self.seen = False
        self._link = link
        parts = urlsplit(watch)
        self._stats = f"{parts.scheme}://{parts.netloc}/stats"
        token = parts.fragment.removeprefix("token=")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._on_start = on_start
        self._next_s = 0.0

    def look(self) -> None:
        """Look now and then whether a picture was shown; beside the link, not over it."""
        if self.seen or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _LOOK_S
        if self._link.ask_receiver(self._is_shown):
            self.seen = True
            self._link.begin()
            self._on_start()

    def _is_shown(self) -> bool:
        try:
            answer = httpx.get(self._stats, headers=self._headers, timeout=2.0, trust_env=False)
            return answer.status_code == 200 and bool(answer.json()["frames_shown"])
        except httpx.HTTPError:
            return False


def _counts(traffic: Traffic, up: bool) -> dict[str, int]:
    passages = [passage for passage in traffic.passages if passage.up == up]
    drops = [passage.drop for passage in passages if passage.drop is not None]
    return {
        "packets": len(passages),
        "bytes": sum(passage.size for passage in passages),
        **{f"lost_{cause}": drops.count(cause) for cause in sorted(set(drops))},
    }


def _printed(line: re.Pattern[str], receiver: Child) -> str:
    found = line.search(receiver.output())
    return found[1] if found else ""


def _last_sentence(sender: Child) -> str:
    lines = [line.strip() for line in sender.output().splitlines() if line.strip()]
    return lines[-1].removeprefix("sender: ") if lines else "the sender said nothing"


def _let_finish(receiver: Child, tick: Callable[[], None]) -> None:
    """Give the receiver the time to notice that a call is over that ended without a goodbye."""
    end_ms = monotonic_ms() + 1000 * HANG_UP_TIMEOUT_S
    while receiver.exit_code is None and monotonic_ms() < end_ms:
        tick()
        time.sleep(_LOOK_S)
    receiver.check()


_Report = TypeVar("_Report", bound=BaseModel)


def _read(path: Path, kind: type[_Report]) -> _Report | None:
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except ValidationError as error:
        raise ChildFailedError(f"{path.name} is not whole: {error}", 1) from None
