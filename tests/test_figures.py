from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from receiver import figures as module
from receiver.figures import Figures, write_report
from receiver.latency import Latencies
from receiver.picture import Picture
from shared.link_stats import LinkStats

IMAGE = np.zeros((288, 256, 3), np.uint8)
LINK = LinkStats(
    payload_bytes=1200,
    wire_bytes_sent=4000,
    wire_bytes_received=9000,
    wire_bytes_setup=3000,
    messages_sent=10,
    messages_received=110,
    frames=100,
    packets=0,
    frames_skipped=0,
    lost=4,
    malformed=0,
    rtt_ms=2.0,
    clock_offset_ms=1.0,
    elapsed_s=4.0,
)


def test_percentiles_agree_with_numpy() -> None:
    random = np.random.default_rng(1)
    values = random.gamma(4, 30, 5000)
    latencies = Latencies()
    for value in values:
        latencies.add(float(value))
    for name, got in latencies.percentiles().items():
        assert got == pytest.approx(np.percentile(values, int(name[1:])), abs=1.5)


def test_odd_latencies_are_kept_in_range() -> None:
    latencies = Latencies()
    assert latencies.percentiles() == {"p50": None, "p95": None, "p99": None}
    for value in (-50.0, 1e12):
        latencies.add(value)
    assert latencies.percentiles()["p99"] == 10_000


def test_running_rates_follow_the_last_seconds() -> None:
    figures = Figures(keep_rows=False)
    assert figures.running()["fps"] == 0
    for second in range(10):
        for n in range(25):
            figures.show(Picture(n, n, None, IMAGE), second * 1000.0)
        link = dataclasses.replace(LINK, payload_bytes=second * 250, wire_bytes_sent=second * 1000)
        figures.sample(link, second * 1000.0)
    assert figures.running() == {"fps": 25.0, "payload_kbps": 2.0, "wire_kbps": 8.0}


def test_the_report_has_a_row_for_every_picture(tmp_path: Path) -> None:
    figures = Figures(keep_rows=True)
    for n in range(5):
        latency = None if n == 0 else 10.0 + n
        figures.show(Picture(n * 2, n * 80, latency, IMAGE), 1000 + n * 80.0, late_ms=30.0 + n)
    write_report(tmp_path / "r.json", figures.report(LINK))
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames_shown"] == 5
    assert report["receiver_fps"] == 12.5
    assert report["payload_kbps"] == 2.4
    assert report["wire_kbps"] == 20.0
    assert report["lost"] == 4
    assert report["latency_ms"] == {"p50": 12.0, "p95": 14.0, "p99": 14.0}
    assert report["reconnects"] == 0
    assert report["frames"][0] == {
        "sequence": 0,
        "captured_ms": 0,
        "shown_ms": 1000.0,
        "latency_ms": None,
        "late_ms": 30.0,
    }
    assert [row["late_ms"] for row in report["frames"]] == [30, 31, 32, 33, 34]
    assert [row["shown_ms"] for row in report["frames"]] == [1000, 1080, 1160, 1240, 1320]
    assert [row["sequence"] for row in report["frames"]] == [0, 2, 4, 6, 8]
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]


def test_rows_are_kept_only_when_asked_and_never_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    for keep, rows in ((False, 0), (True, 3)):
        figures = Figures(keep_rows=keep)
        for n in range(5):
            figures.show(Picture(n, n, 1.0, IMAGE), float(n))
        report = figures.report(None)
        assert (len(report["frames"]), report["frames_shown"]) == (rows, 5)
