"""What is made of a call's reports, by hand-made ones; `test_network` makes a real call."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.network_call import NetworkCall, NetworkReceiver, NetworkSender, Stamps, summarise
from benchmarks.patterns import Drop
from benchmarks.profiles import profile
from benchmarks.relay import Passage, Traffic

# The sender's call clock starts at 50 s of the machine's, joining begins at 51 s, frames are sent
# from 53 s to 63 s, one every 40 ms, and the first is shown at 53.1 s.
CLOCK_MS, JOINING_MS, FIRST_MS, END_MS = 50_000.0, 51_000.0, 53_000.0, 63_000.0
CONTRACT = [
    "profile",
    "frames_sent",
    "frames_shown",
    "freeze_ratio",
    "latency_ms",
    "setup_s",
    "wire_kbps",
    "stale_shown",
    "reconnects",
]


def passage(entered_ms: float, size: int, up: bool = True, drop: Drop | None = None) -> Passage:
    return Passage(entered_ms, up, size, None if drop else entered_ms, 0.0 if drop else 2.0, drop)


def call_of(rows: list[tuple[float, float]], passages: list[Passage] | None = None) -> NetworkCall:
    """A call whose pictures were captured and shown then, ms after the first was sent."""
    frames = [
        {
            "sequence": number,
            "captured_ms": int(FIRST_MS - CLOCK_MS + captured),
            "shown_ms": FIRST_MS + shown,
            # The call's own estimate, which is off; the stamps are what counts.
            "latency_ms": 1.0,
        }
        for number, (captured, shown) in enumerate(rows)
    ]
    receiver = NetworkReceiver.model_validate(
        {
            "frames_shown": len(rows),
            "receiver_fps": 25.0,
            "latency_ms": {"p50": 1.0, "p95": 1.0, "p99": 1.0},
            "payload_kbps": 3.0,
            "wire_kbps": 30.0,
            "lost": 0,
            "reconnects": 2,
            "frames": frames,
        }
    )
    stamps = Stamps(clock_start=CLOCK_MS, joining=JOINING_MS, first_sent=FIRST_MS, ended=END_MS)
    sender = NetworkSender(frames_sent=250, wire_kbps=29.5, stamps_ms=stamps)
    traffic = Traffic(FIRST_MS + 100, passages or [])
    return NetworkCall(profile("clean", 10), 10.0, None, sender, receiver, traffic, None)


def even(count: int = 248) -> list[tuple[float, float]]:
    return [(40.0 * n, 40.0 * n + 100) for n in range(count)]


def test_the_json_begins_with_the_fields_of_the_contract() -> None:
    figures = summarise(call_of(even()))
    assert list(figures)[: len(CONTRACT)] == CONTRACT
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_an_even_call() -> None:
    figures = summarise(call_of(even()))
    assert figures["profile"] == "clean"
    assert (figures["frames_sent"], figures["frames_shown"]) == (250, 248)
    assert figures["latency_ms"] == {"p50": 100.0, "p95": 100.0, "p99": 100.0}
    assert figures["setup_s"] == 2.1
    assert (figures["freeze_ratio"], figures["stale_shown"]) == (0.0, 0)
    assert figures["reconnects"] == 2
    assert figures["failed"] is None


def test_a_freeze_and_what_was_late_after_it() -> None:
    # Nothing between 4.1 s and 6.1 s after the first was sent, then two pictures of that time.
    rows = [
        *even(101),
        (4040.0, 6060.0),
        (4080.0, 6080.0),
        *[(40.0 * n, 40.0 * n + 100) for n in range(150, 248)],
    ]
    figures = summarise(call_of(rows))
    assert figures["freezes_s"] == [[4.0, 5.96]]
    assert figures["longest_gap_ms"] == 1960.0
    assert figures["freeze_ratio"] == pytest.approx(1.96 / 9.9, abs=1e-4)
    assert figures["stale_shown"] == 2


def test_a_call_that_broke_off_is_frozen_to_its_planned_end() -> None:
    call = call_of(even(101))
    assert call.sender is not None
    assert call.sender.stamps_ms is not None
    stamps = call.sender.stamps_ms.model_copy(update={"ended": FIRST_MS + 5000})
    sender = call.sender.model_copy(update={"stamps_ms": stamps})
    broken = summarise(replace(call, sender=sender, failure="the call broke off"))
    assert broken["freezes_s"] == [[4.0, 9.9]]
    assert broken["failed"] == "the call broke off"
    # One that was meant to end there is not.
    assert summarise(replace(call, sender=sender))["freezes_s"] == [[4.0, 4.9]]


def test_every_byte_from_the_first_frame_to_the_last_counts() -> None:
    passages = [
        passage(FIRST_MS - 1, 5000),
        passage(FIRST_MS, 1000),
        passage(FIRST_MS + 500, 1000, up=False),
        passage(END_MS - 1, 500, drop=Drop.LOSS),
        passage(END_MS + 1, 7000),
    ]
    figures = summarise(call_of(even(), passages))
    assert figures["wire_kbps"] == 2.0  # 2500 bytes in 10 s
    assert figures["sender_wire_kbps"] == 29.5
    assert figures["link"] == {
        "up": {"packets": 4, "bytes": 13_500, "lost_loss": 1},
        "down": {"packets": 1, "bytes": 1000},
    }
    assert figures["relay_late_ms_p99"] == 2.0


def test_a_call_that_never_began() -> None:
    stamps = Stamps(clock_start=CLOCK_MS, joining=JOINING_MS, first_sent=None, ended=None)
    failed = NetworkCall(
        profile("loss30", 10),
        10.0,
        "economy",
        NetworkSender(stamps_ms=stamps),
        None,
        Traffic(None, []),
        "nobody answers",
    )
    for call in (failed, replace(failed, sender=None)):
        figures = summarise(call)
        assert json.loads(json.dumps(figures, allow_nan=False)) == figures
        assert figures["frames_shown"] == 0
        assert figures["freeze_ratio"] == 1.0
        assert figures["setup_s"] is None
        assert figures["latency_ms"]["p50"] is None
        assert figures["latency_setting"] == "economy"
        assert figures["failed"] == "nobody answers"
