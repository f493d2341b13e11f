from __future__ import annotations

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from receiver.metrics import Metrics
from receiver.picture import Picture
from receiver.playout import PlayoutCounts

IMAGE = np.zeros((288, 256, 3), np.uint8)


def read(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        item.name + "".join(f"/{value}" for value in item.labels.values()): item.value
        for family in families
        for item in family.samples
    }


def test_counters_run_on_over_calls_and_never_fall() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.begin_call()
        metrics.sample(PlayoutCounts(received=10, late=2), lost=3, payload=100, wire=900)
        metrics.sample(PlayoutCounts(received=12, late=2), lost=1, payload=120, wire=950)
    samples = read(metrics)
    assert samples["headcall_calls_total"] == 2
    assert samples["headcall_frames_received_total"] == 24
    assert samples["headcall_frames_dropped_total/late"] == 4
    assert samples["headcall_frames_dropped_total/stale"] == 0
    assert samples["headcall_frames_lost_total"] == 6
    assert samples["headcall_bytes_total/payload"] == 240
    assert samples["headcall_bytes_total/wire"] == 1900


def test_pictures_and_latencies_are_counted() -> None:
    metrics = Metrics()
    for latency in (None, 30.0, 70.0, -5.0):
        metrics.show(Picture(0, 0, latency, IMAGE))
    samples = read(metrics)
    assert samples["headcall_frames_shown_total"] == 4
    assert samples["headcall_latency_seconds_count"] == 3
    assert samples["headcall_latency_seconds_bucket/0.04"] == 2
