"""The receiver's figures in Prometheus form."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from receiver.picture import Picture
from receiver.playout import PlayoutCounts

_LATENCY_S = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
_DROPPED = ("duplicate", "late", "stale", "skipped")


class Metrics:
    """Metrics of one receiver process; also a sink that counts the pictures."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self.calls = Counter("headcall_calls", "Calls answered.", registry=self._registry)
        self.live = Gauge("headcall_live", "1 while a call is shown.", registry=self._registry)
        self.watchers = Gauge("headcall_watchers", "Watchers now.", registry=self._registry)
        self.tasks = Gauge("headcall_tasks", "Tasks on the event loop.", registry=self._registry)
        self._received = Counter(
            "headcall_frames_received", "Frames received.", registry=self._registry
        )
        self._shown = Counter("headcall_frames_shown", "Pictures shown.", registry=self._registry)
        self._dropped = Counter(
            "headcall_frames_dropped",
            "Frames received and not shown, by reason.",
            ["reason"],
            registry=self._registry,
        )
        self._lost = Counter(
            "headcall_frames_lost", "Frames lost by the network.", registry=self._registry
        )
        self._bytes = Counter(
            "headcall_bytes",
            "Bytes of frame packets (payload) and of everything on the network (wire).",
            ["layer"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "headcall_latency_seconds",
            "From capture to the rebuilt picture.",
            buckets=_LATENCY_S,
            registry=self._registry,
        )
        self._seen: dict[str, int] = {}

    def show(self, picture: Picture) -> None:
        """Count a picture."""
        self._shown.inc()
        if picture.latency_ms is not None:
            self._latency.observe(max(picture.latency_ms, 0.0) / 1000)

    def end_call(self) -> None:
        """Nothing ends here: counters run on over calls."""

    def begin_call(self) -> None:
        """A call was answered; its totals start from zero."""
        self._seen.clear()
        self.calls.inc()

    def sample(self, counts: PlayoutCounts, lost: int, payload: int, wire: int) -> None:
        """Take a call's totals so far."""
        self._add(self._received, "received", counts.received)
        for reason in _DROPPED:
            self._add(self._dropped.labels(reason), reason, getattr(counts, reason))
        self._add(self._lost, "lost", lost)
        self._add(self._bytes.labels("payload"), "payload", payload)
        self._add(self._bytes.labels("wire"), "wire", wire)

    def render(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self._registry)

    def _add(self, counter: Counter, key: str, total: int) -> None:
        # A total may fall (a packet thought lost comes late); a counter may not.
        counter.inc(max(total - self._seen.get(key, 0), 0))
        self._seen[key] = max(total, self._seen.get(key, 0))
