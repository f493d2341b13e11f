"""The figures of a call on the sending side, for the status line and ``--report``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sender.times import Times
from shared.crop import Crop
from shared.errors import BadInputError
from shared.link_stats import LinkStats

# Medians over the last minute: a call of a day must not grow without end.
TIMES_KEPT = 1500


@dataclass(slots=True)
class Figures:
    """What happened so far; times in milliseconds.

    Attributes:
        frames_sent: frames that were taken for sending.
        frames_still: those of them that the receiver needs not, because nothing had moved.
        reference_bytes: the photograph's file.
        reference_wire_bytes: what sending it put on the network, both directions.
        clock_start_ms: the call clock's zero on this machine's monotonic clock.
        joining_ms: when joining began, on the call clock as all that follow.
        ended_ms: when the sender stopped sending.
        first_sent_ms: when the first frame was sent.
        last_sent_ms: when the latest was.
    """

    frames_captured: int = 0
    frames_without_face: int = 0
    frames_sent: int = 0
    frames_still: int = 0
    frames_dropped: int = 0
    reference_bytes: int = 0
    reference_wire_bytes: int = 0
    crop: Crop | None = None
    calibrated_on: int | None = None
    clock_start_ms: float = 0.0
    joining_ms: float | None = None
    ended_ms: float | None = None
    first_sent_ms: float | None = None
    last_sent_ms: float = 0.0
    track_ms: Times = field(default_factory=lambda: Times(TIMES_KEPT))
    fit_ms: Times = field(default_factory=lambda: Times(TIMES_KEPT))

    def sent(self, now_ms: float) -> None:
        """Count a frame that was sent."""
        self.frames_sent += 1
        self.first_sent_ms = now_ms if self.first_sent_ms is None else self.first_sent_ms
        self.last_sent_ms = now_ms

    def timed(self, track_ms: float, fit_ms: float | None) -> None:
        """Note how long one frame took; `fit_ms` is None without a face."""
        self.track_ms.add(track_ms)
        if fit_ms is not None:
            self.fit_ms.add(fit_ms)

    @property
    def sender_fps(self) -> float:
        """Frames sent a second, between the first and the last."""
        if self.first_sent_ms is None or self.last_sent_ms <= self.first_sent_ms:
            return 0.0
        return (self.frames_sent - 1) * 1000 / (self.last_sent_ms - self.first_sent_ms)

    def report(self, stats: LinkStats | None) -> dict[str, Any]:
        """Return what ``--report`` writes."""
        crop = self.crop
        return {
            "frames_captured": self.frames_captured,
            "frames_sent": stats.frames if stats else 0,
            "frames_still": self.frames_still,
            "frames_without_face": self.frames_without_face,
            "frames_dropped": self.frames_dropped,
            "frames_skipped": stats.frames_skipped if stats else 0,
            "sender_fps": round(self.sender_fps, 2),
            "payload_kbps": round(stats.payload_kbps, 3) if stats else 0.0,
            "wire_kbps": round(stats.wire_kbps, 3) if stats else 0.0,
            "bytes_per_frame": round(stats.payload_bytes / max(1, stats.frames), 2) if stats else 0,
            "wire_bytes": stats.wire_bytes if stats else 0,
            "reference_bytes": self.reference_bytes,
            "reference_wire_bytes": self.reference_wire_bytes,
            "lost": stats.lost if stats else 0,
            "rtt_ms": round(stats.rtt_ms, 2) if stats and stats.rtt_ms is not None else None,
            "crop": {"left": crop.left, "top": crop.top, "side": crop.side} if crop else None,
            "calibrated_on": self.calibrated_on,
            "stamps_ms": {
                "clock_start": self.clock_start_ms,
                "joining": self._stamp(self.joining_ms),
                "first_sent": self._stamp(self.first_sent_ms),
                "ended": self._stamp(self.ended_ms),
            },
            "track_ms": _rounded(self.track_ms.median()),
            "fit_ms": _rounded(self.fit_ms.median()),
        }

    def _stamp(self, call_ms: float | None) -> float | None:
        """Return a time of the call on this machine's clock, which a receiver here shares."""
        return None if call_ms is None else self.clock_start_ms + call_ms


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 2)


def check_report_path(path: Path) -> None:
    """Refuse, before the call and not after it, a path that cannot be written.

    Raises:
        BadInputError: its folder does not exist, or it is a folder itself.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise BadInputError(f"{path} cannot be written; give a file in a folder that exists")


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report as JSON.

    Raises:
        BadInputError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error.strerror or error}") from error
