from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from random import Random

import pytest

from benchmarks.patterns import Bottleneck, Drop, Lane, Losses, Way

COUNT = 40_000
FRAME_MS = 40.0
PACKET = 120


def fates(way: Way, seed: str = "a", count: int = COUNT) -> list[float | Drop]:
    """What becomes of packets that enter 40 ms apart; the call begins with the first."""
    lane = Lane(way, seed)
    lane.begin(0.0)
    return [lane.send(PACKET, n * FRAME_MS) for n in range(count)]


def delays(way: Way, count: int = COUNT) -> list[float]:
    return [
        out - n * FRAME_MS
        for n, out in enumerate(fates(way, count=count))
        if not isinstance(out, Drop)
    ]


def share_lost(outcomes: list[float | Drop]) -> float:
    return sum(outcome is Drop.LOSS for outcome in outcomes) / len(outcomes)


def bursts(lost: list[bool]) -> list[int]:
    return [len(list(run)) for is_lost, run in groupby(lost) if is_lost]


def test_a_clean_way_changes_nothing() -> None:
    assert set(delays(Way(), 1000)) == {0.0}


@pytest.mark.parametrize("burst", [1.0, 4.0])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_the_share_of_lost_packets(share: float, burst: float) -> None:
    assert share_lost(fates(Way(loss=share, burst=burst))) == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize("burst", [2.0, 4.0, 8.0])
def test_the_length_of_bursts(burst: float) -> None:
    losses = Losses(0.1, burst, Random(1))
    lengths = bursts([losses.next() for _ in range(COUNT)])
    assert sum(lengths) / len(lengths) == pytest.approx(burst, rel=0.1)
    assert max(lengths) > 2 * burst


def test_independent_losses_come_in_no_bursts() -> None:
    losses = Losses(0.1, 1.0, Random(1))
    lengths = bursts([losses.next() for _ in range(COUNT)])
    assert sum(lengths) / len(lengths) == pytest.approx(1 / 0.9, rel=0.05)


def test_the_same_seed_gives_the_same_fates_and_another_does_not() -> None:
    way = Way(delay_ms=250, jitter_ms=100, loss=0.05, burst=4, rate_kbps=300)
    assert fates(way, "a", 2000) == fates(way, "a", 2000)
    assert fates(way, "a", 2000) != fates(way, "b", 2000)


def test_one_chance_does_not_shift_the_other() -> None:
    lossy = fates(Way(loss=0.2), count=2000)
    both = fates(Way(loss=0.2, delay_ms=100, jitter_ms=25), count=2000)
    assert [out is Drop.LOSS for out in lossy] == [out is Drop.LOSS for out in both]


def test_jitter_stays_within_its_bounds_and_reaches_them() -> None:
    taken = delays(Way(delay_ms=100, jitter_ms=25))
    assert 75 <= min(taken) < 77
    assert 123 < max(taken) <= 125
    assert sum(taken) / len(taken) == pytest.approx(100, abs=1)


def test_no_jitter_makes_a_packet_early() -> None:
    assert min(delays(Way(delay_ms=10, jitter_ms=50))) == 0.0


def test_jitter_reorders_unless_told_not_to() -> None:
    way = Way(delay_ms=250, jitter_ms=100)
    free = [out for out in fates(way, count=2000) if not isinstance(out, Drop)]
    assert free != sorted(free)
    kept = fates(replace(way, keeps_order=True), count=2000)
    ordered = [out for out in kept if not isinstance(out, Drop)]
    assert ordered == sorted(ordered)
    assert len(ordered) == 2000


def test_the_bottleneck_passes_its_rate() -> None:
    bottleneck = Bottleneck(rate_kbps=50, queue_ms=1e9)
    # 1250 bytes are 10,000 bits: 200 ms each at 50 kbps.
    assert [bottleneck.leaves_ms(1250, 0.0) for _ in range(3)] == [200.0, 400.0, 600.0]
    assert bottleneck.leaves_ms(1250, 5000.0) == 5200.0


def test_a_full_queue_loses_what_comes() -> None:
    bottleneck = Bottleneck(rate_kbps=50, queue_ms=1000)
    passed = [bottleneck.leaves_ms(1250, 0.0) for _ in range(10)]
    assert passed == [200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0, *[None] * 4]
    # What was lost takes no room: as soon as the queue is short enough, packets pass again.
    assert bottleneck.leaves_ms(1250, 201.0) == 1400.0


def test_an_overload_passes_the_rate_and_loses_the_rest() -> None:
    way = Way(rate_kbps=12)  # half of 24 kbps: 120 bytes every 40 ms
    outcomes = fates(way, count=5000)
    passed = [out for out in outcomes if not isinstance(out, Drop)]
    assert passed == sorted(passed)
    assert len(passed) * PACKET * 8 / passed[-1] == pytest.approx(12, rel=0.02)
    assert {out for out in outcomes if isinstance(out, Drop)} == {Drop.QUEUE}


def test_a_cut_lets_nothing_in_or_out() -> None:
    outcomes = fates(Way(delay_ms=100, cuts=((4.0, 6.0),)), count=250)
    for n, out in enumerate(outcomes):
        entered_ms = n * FRAME_MS
        meets_cut = 4000 <= entered_ms < 6000 or 4000 <= entered_ms + 100 < 6000
        assert out == (Drop.CUT if meets_cut else entered_ms + 100)


def test_losses_can_be_limited_to_spells() -> None:
    outcomes = fates(Way(loss=0.5, lossy=((10.0, 20.0),)), count=750)
    lost = [n * FRAME_MS / 1000 for n, out in enumerate(outcomes) if out is Drop.LOSS]
    assert 10 <= min(lost) < 11
    assert 19 < max(lost) < 20
    assert len(lost) == pytest.approx(125, rel=0.25)


def test_before_the_call_there_are_no_cuts_and_no_spells() -> None:
    lane = Lane(Way(loss=0.9, lossy=((0.0, 10.0),), cuts=((5.0, 10.0),)), "a")
    assert [lane.send(PACKET, n * 100.0) for n in range(100)] == [n * 100.0 for n in range(100)]
    lane.begin(20_000.0)
    assert lane.send(PACKET, 25_000.0) is Drop.CUT
    assert Drop.LOSS in [lane.send(PACKET, 20_000.0 + n) for n in range(100)]
