"""A whole call on this machine: a receiver and a sender in processes of their own."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from benchmarks.child import Child, ChildFailedError
from shared.crop import Crop
from shared.latency import Latency

# The receiver loads the generator and may compile the rasteriser first.
READY_TIMEOUT_S = 90.0
HANG_UP_TIMEOUT_S = 30.0
_JOIN_ALLOWANCE_S = 60.0


class ShownFrame(BaseModel):
    """One picture the receiver showed; the n-th is the n-th of its ``--out`` file."""

    sequence: int
    captured_ms: int
    shown_ms: float
    latency_ms: float | None


class Delays(BaseModel):
    """Milliseconds from capture to picture; None while the clocks were never matched."""

    p50: float | None
    p95: float | None
    p99: float | None


class ReceiverReport(BaseModel):
    """What ``receiver --report`` writes."""

    frames_shown: int
    receiver_fps: float
    latency_ms: Delays
    payload_kbps: float
    wire_kbps: float
    lost: int
    frames: list[ShownFrame]


class CropReport(BaseModel):
    """The sender's crop, pixels of the captured picture."""

    left: float
    top: float
    side: float


class SenderReport(BaseModel):
    """What ``sender --report`` writes."""

    frames_captured: int
    frames_sent: int
    frames_still: int
    frames_without_face: int
    frames_dropped: int
    sender_fps: float
    payload_kbps: float
    wire_kbps: float
    wire_bytes: int
    reference_bytes: int
    reference_wire_bytes: int
    crop: CropReport
    calibrated_on: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is over.

    Attributes:
        rebuilt: lossless video of what the receiver showed, each picture above its mark; not
            there after a call that was not filmed.
        receiver: the receiver's figures.
        sender: the sender's figures.
    """

    rebuilt: Path
    receiver: ReceiverReport
    sender: SenderReport

    @property
    def crop(self) -> Crop:
        """The part of the source that was rebuilt."""
        crop = self.sender.crop
        return Crop(crop.left, crop.top, crop.side)


def run_call(
    clip: Path,
    folder: Path,
    seconds: float,
    on_start: Callable[[], None] = lambda: None,
    tick: Callable[[], None] = lambda: None,
    latency: Latency = Latency.NORMAL,
    loop: bool = False,
    *,
    film: bool = True,
    serve: Sequence[str] = (),
    send: Sequence[str] = (),
    watch: Callable[[Child, Child], None] = lambda receiver, sender: None,
) -> Call:
    """Run a call from a clip to a file, over WebRTC on loopback, from the first frame alone.

    Args:
        clip: the sender's source, played at its own pace.
        folder: takes the reports, the rebuilt video and the logs; exists.
        seconds: the call ends after this long, or with the clip.
        on_start: called when the receiver is ready and the sender starts.
        tick: called ten times a second throughout.
        latency: the sender's setting.
        loop: play the clip again and again.
        film: write the rebuilt video, which takes the receiver some time.
        serve: further options of the receiver.
        send: further options of the sender.
        watch: called with receiver and sender ten times a second while both run.

    Raises:
        ChildFailedError: one of the two failed or hung; the message holds what it said.
    """
    port = free_port()
    rebuilt, report = folder / "rebuilt.mkv", folder / "receiver.json"
    sent = folder / "sender.json"
    for stale in (rebuilt, report, sent):
        stale.unlink(missing_ok=True)
    url = f"http://localhost:{port}"
    options = ["--port", str(port), "--once", "--report", str(report), *serve]
    options += ["--out", str(rebuilt)] if film else []
    with Child("receiver", options, folder / "receiver.log") as receiver:
        receiver.wait_until(lambda: _is_healthy(url), READY_TIMEOUT_S, tick)
        on_start()
        call = [url, "--source", str(clip), "--seconds", str(seconds), "--report", str(sent)]
        call += ["--latency", latency.value, *(["--loop"] if loop else []), *send]

        with Child("sender", call, folder / "sender.log") as sender:

            def look() -> None:
                receiver.check()
                watch(receiver, sender)
                tick()

            sender.wait(seconds + _JOIN_ALLOWANCE_S, look)
        receiver.wait(HANG_UP_TIMEOUT_S, tick)
    return Call(rebuilt, _read(report, ReceiverReport), _read(sent, SenderReport))


def free_port() -> int:
    """Return a TCP port that nothing on this machine listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


_Report = TypeVar("_Report", bound=BaseModel)


def _read(path: Path, kind: type[_Report]) -> _Report:
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise ChildFailedError(f"The call left no {path.name}: {error.strerror}", 1) from error
    except ValidationError as error:
        raise ChildFailedError(
            f"The call left a {path.name} that is not whole: {error}", 1
        ) from None
