"""The status line: what a caller sees while the call runs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sender.figures import Figures
from shared.link_stats import LinkStats

# With the silence before it (LinkSettings.silence_s) within two seconds of a cut.
REFRESH_S = 0.4


class StatusLine:
    """One line at the bottom of the terminal; nothing where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._live = Live(
            Text("looking for a face…"), console=console, auto_refresh=False, transient=True
        )
        self._console = console
        self._last = (0.0, 0, 0)
        self._silent_since_s: float | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, text: str) -> None:
        """Show a text."""
        if self._console.is_terminal:
            self._live.update(Text(text), refresh=True)

    def update(
        self,
        figures: Figures,
        stats: LinkStats,
        has_face: bool,
        now_s: float,
        *,
        reconnecting: bool = False,
    ) -> None:
        """Show the rates since the last update, or since when the receiver is silent."""
        wire = stats.wire_bytes_sent + stats.wire_bytes_received
        before_s, before_frames, before_wire = self._last
        self._last = (now_s, figures.frames_sent, wire)
        span = now_s - before_s
        fps = (figures.frames_sent - before_frames) / span
        kbps = (wire - before_wire) * 8 / 1000 / span
        if not reconnecting:
            self._silent_since_s = None
            self.show(line(fps, kbps, stats, has_face))
            return
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        self.show(f"reconnecting… {now_s - self._silent_since_s:.0f} s")


def line(fps: float, kbps: float, stats: LinkStats, has_face: bool) -> str:
    """Return the text of the status line."""
    rtt = "–" if stats.rtt_ms is None else f"{stats.rtt_ms:.0f} ms"
    parts = [f"{fps:4.1f} fps", f"{kbps:5.1f} kbps", f"round trip {rtt}"]
    if stats.lost:
        parts.append(f"{stats.lost} lost")
    if not has_face:
        parts.append("no face: look into the camera")
    return "  ".join(parts)
