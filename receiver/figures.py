"""The figures of one call: running ones for the page, final ones for the report."""

from __future__ import annotations

import json
import math
from array import array
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receiver.latency import Latencies
from receiver.picture import Picture
from shared.link_stats import LinkStats

# Three hours at 25 fps; what a report of more would hold is of no use and of 100 MB.
MAX_ROWS = 270_000
_WINDOW = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """The counts at one moment, from which running rates are taken."""

    ms: float
    shown: int
    payload_bytes: int
    wire_bytes: int


class Figures:
    """Counts what one call showed.

    ``show`` is called on the painting thread, everything else on the event loop; each field has
    one writer.

    Attributes:
        latencies: capture to picture, as the call's clocks have it.
        latest_latency_ms: the newest of them.
        shown: pictures shown.
    """

    def __init__(self, *, keep_rows: bool) -> None:
        """Start from zero.

        Args:
            keep_rows: keep every frame's row for the report.
        """
        self._keep_rows = keep_rows
        self._sequences: array[int] = array("q")
        self._captured: array[int] = array("q")
        self._latency: array[float] = array("d")
        self._shown_at: array[float] = array("d")
        self._late: array[float] = array("d")
        self._samples: deque[Sample] = deque(maxlen=_WINDOW)
        self._first_ms = 0.0
        self._last_ms = 0.0
        self.latencies = Latencies()
        self.latest_latency_ms: float | None = None
        self.shown = 0

    def show(self, picture: Picture, now_ms: float, late_ms: float = 0.0) -> None:
        """Count a picture.

        Args:
            picture: was shown.
            now_ms: when.
            late_ms: how long after the playout had wanted it, the time it took to paint included.
        """
        if self.shown == 0:
            self._first_ms = now_ms
        self._last_ms = now_ms
        self.shown += 1
        if picture.latency_ms is not None:
            self.latencies.add(picture.latency_ms)
            self.latest_latency_ms = picture.latency_ms
        if self._keep_rows and len(self._sequences) < MAX_ROWS:
            self._sequences.append(picture.sequence)
            self._captured.append(picture.captured_ms)
            self._shown_at.append(now_ms)
            self._late.append(late_ms)
            self._latency.append(math.nan if picture.latency_ms is None else picture.latency_ms)

    def sample(self, link: LinkStats, now_ms: float) -> None:
        """Take a sample; called about once a second."""
        # Connecting and the photograph come once and are no part of the call's rate.
        wire = link.wire_bytes_sent + link.wire_bytes_received - link.wire_bytes_setup
        wire = wire if link.frames else 0
        self._samples.append(Sample(now_ms, self.shown, link.payload_bytes, wire))

    def running(self) -> dict[str, float]:
        """Return fps and kbps over the last few seconds."""
        if len(self._samples) < 2:
            return {"fps": 0.0, "payload_kbps": 0.0, "wire_kbps": 0.0}
        first, last = self._samples[0], self._samples[-1]
        elapsed = max(last.ms - first.ms, 1.0)
        return {
            "fps": round((last.shown - first.shown) * 1000 / elapsed, 2),
            "payload_kbps": round((last.payload_bytes - first.payload_bytes) * 8 / elapsed, 3),
            "wire_kbps": round((last.wire_bytes - first.wire_bytes) * 8 / elapsed, 3),
        }

    def report(self, link: LinkStats | None) -> dict[str, Any]:
        """Return the end-of-call figures."""
        elapsed = self._last_ms - self._first_ms
        return {
            "frames_shown": self.shown,
            "receiver_fps": round((self.shown - 1) * 1000 / elapsed, 3) if elapsed > 0 else 0.0,
            "latency_ms": self.latencies.percentiles(),
            "payload_kbps": round(link.payload_kbps, 3) if link else 0.0,
            "wire_kbps": round(link.wire_kbps, 3) if link else 0.0,
            "lost": link.lost if link else 0,
            "reconnects": link.reconnects if link else 0,
            "frames": [
                {
                    "sequence": sequence,
                    "captured_ms": captured,
                    "shown_ms": round(shown, 2),
                    "latency_ms": None if math.isnan(latency) else round(latency, 2),
                    "late_ms": round(late, 2),
                }
                for sequence, captured, shown, latency, late in zip(
                    self._sequences,
                    self._captured,
                    self._shown_at,
                    self._latency,
                    self._late,
                    strict=True,
                )
            ],
        }


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(report) + "\n", encoding="utf-8")
    partial.replace(path)
