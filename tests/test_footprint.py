"""What a real call takes, and how samples of it are cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.call import ReceiverReport
from benchmarks.footprint import Watch, footprint, weigh
from benchmarks.processes import Usage
from shared.errors import BadInputError


@pytest.mark.timeout(300)  # two processes load their libraries
def test_a_call_is_weighed_on_both_sides(demo_clip: Path, tmp_path: Path) -> None:
    found = footprint(demo_clip, tmp_path, 5.0, "auto", "lite")
    assert found["startup_s"]["receiver"] > 0.2, "Python alone takes that"
    assert found["startup_s"]["first_picture"] > 0.2
    for side in ("sender", "receiver"):
        assert found["memory_mb"][side] > 50
        assert 0 < found["cpu_s_per_s"][side] < 64
    assert 0 < found["call_fps"] < 30
    assert 0 < found["sent_fps"] < 30
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"]
    assert not list(tmp_path.glob("*.mkv")), "nothing is filmed"


def watched(*at_ms: float) -> Watch:
    watch = Watch()
    watch.started_ms = {"sender": 1000.0, "receiver": 0.0}
    watch.ready_ms = 900.0
    for side, busy in (("sender", 0.1), ("receiver", 0.5)):
        watch.samples[side] = [Usage(at, busy * at / 1000, at / 100) for at in at_ms]
    return watch


def report(*shown_ms: float) -> ReceiverReport:
    rows = [{"sequence": 0, "captured_ms": 0, "shown_ms": at, "latency_ms": 1.0} for at in shown_ms]
    delays = {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    return ReceiverReport.model_validate(
        {"frames_shown": len(rows), "receiver_fps": 25.0, "latency_ms": delays, "payload_kbps": 1,
         "wire_kbps": 1, "lost": 0, "frames": rows}
    )  # fmt: skip


def test_only_the_steady_part_counts() -> None:
    watch = watched(1500, 2000, 3000, 4000, 9000)
    watch.samples["sender"][0] = Usage(1500, 99.0, 1.0)  # starting up
    found = weigh(watch, report(1900, 2500, 4100))
    assert found["startup_s"] == pytest.approx({"receiver": 0.9, "first_picture": 0.9})
    assert found["cpu_s_per_s"] == pytest.approx({"sender": 0.1, "receiver": 0.5})
    assert found["memory_mb"] == {"sender": 40.0, "receiver": 40.0}


@pytest.mark.parametrize("shown", [(), (1900.0,), (1900.0, 2950.0)])
def test_a_call_of_no_length_is_bad_input(shown: tuple[float, ...]) -> None:
    with pytest.raises(BadInputError, match="too short"):
        weigh(watched(1500, 2000, 3000, 4000), report(*shown))
