from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.patterns import Drop, Lane
from benchmarks.profiles import profile
from benchmarks.smoothness import freeze_ratio
from receiver.motion import GUESSED_MS
from receiver.playout import CAPACITY, STALE_MS, Playout
from shared.detail import Detail
from shared.latency import Latency
from shared.outgoing import Outgoing
from shared.tally import LOSSY_MS
from shared.wire import FrameDecoder
from shared.wire_errors import StaleKeyError, TruncatedError
from tests.receiving import frame
from tests.sending import frames

# The two clocks are unrelated: the receiver's reads this when the sender's reads 0.
OFFSET_MS = 5_000_000.0


def play(arrivals: list[tuple[int, float]], delay_ms: float = 20.0) -> list[tuple[int, float]]:
    """Push frames (sequence, network delay) and pop each as soon as it is due."""
    playout = Playout(delay_ms)
    events = sorted((n * 40 + OFFSET_MS + delay, n) for n, delay in arrivals)
    shown: list[tuple[int, float]] = []

    def pop_until(limit_ms: float) -> None:
        while (due := playout.next_due_ms()) is not None and due < limit_ms:
            if (ready := playout.pop(due)) is not None:
                shown.append((ready.sequence, due))

    for now, sequence in events:
        pop_until(now)
        playout.push(frame(sequence), now)
        if (ready := playout.pop(now)) is not None:
            shown.append((ready.sequence, now))
    pop_until(np.inf)
    last = max(n for _, n in events)  # after it come guesses
    return [(n, at) for n, at in shown if n <= last]


def test_an_even_stream_is_shown_whole_with_the_least_delay() -> None:
    shown = play([(n, 7.0) for n in range(50)])
    assert [n for n, _ in shown] == list(range(50))
    assert all(at == n * 40 + OFFSET_MS + 7 + 20 for n, at in shown)


def test_jitter_below_the_delay_is_smoothed_away() -> None:
    random = np.random.default_rng(3)
    jitter = [(n, 5.0 + (random.uniform(0, 20) if n else 0)) for n in range(200)]
    shown = play(jitter)
    assert [n for n, _ in shown] == list(range(200))
    assert all(at == pytest.approx(n * 40 + OFFSET_MS + 25) for n, at in shown)


def test_neighbours_that_changed_places_are_put_in_order() -> None:
    assert [n for n, _ in play([(0, 5), (1, 30), (2, 5), (3, 55), (4, 5)], delay_ms=60)] == [
        *range(5)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_network_does_frames_are_in_order_and_never_stale(seed: int) -> None:
    random = np.random.default_rng(seed)
    delays = random.exponential(60, 400) + (random.random(400) < 0.05) * 800
    arrivals = [(n, float(delay)) for n, delay in enumerate(delays) if random.random() > 0.2]
    arrivals += [arrivals[i] for i in random.integers(0, len(arrivals), 40)]  # duplicates
    shown = play(arrivals)
    sequences = [n for n, _ in shown]
    assert sequences == sorted(set(sequences))
    assert len(shown) > 150
    smallest = min(delay for _, delay in arrivals)
    assert all(at - n * 40 - OFFSET_MS <= max(delays) for n, at in shown)
    late = [at - n * 40 - OFFSET_MS - smallest for n, at in shown if n > 20]
    assert max(late) <= STALE_MS


def test_a_duplicate_is_counted_and_dropped() -> None:
    playout = Playout(20)
    playout.push(frame(0), 1000)
    playout.push(frame(0), 1001)
    assert playout.pop(1100) is not None
    playout.push(frame(0), 1101)
    assert playout.pop(1200) is None
    assert (playout.counts.duplicate, playout.counts.late) == (1, 1)


def test_frames_held_back_by_a_cut_are_not_shown_afterwards() -> None:
    # Frames 10 to 60 are held for up to two seconds and arrive in one burst.
    held = [(n, (61 - n) * 40.0 + 5) for n in range(10, 61)]
    shown = play([(n, 5.0) for n in range(10)] + held + [(n, 5.0) for n in range(61, 80)])
    assert [n for n, _ in shown if n < 10] == list(range(10))
    burst_at = 61 * 40 + OFFSET_MS + 5
    stale = [n for n, at in shown if at >= burst_at and at - n * 40 - OFFSET_MS - 5 > STALE_MS]
    assert stale == []
    assert [n for n, _ in shown][-19:] == list(range(61, 80))


def test_a_slow_generator_skips_and_stays_current() -> None:
    playout = Playout(20)
    now, busy_ms, pushed, lag = OFFSET_MS, 130.0, 0, []
    while pushed < 300:
        now += busy_ms  # a picture takes three frames' time
        while pushed * 40 + OFFSET_MS + 5 <= now:
            playout.push(frame(pushed), pushed * 40 + OFFSET_MS + 5)
            pushed += 1
        if (ready := playout.pop(now)) is not None:
            lag.append(now - ready.captured_ms - OFFSET_MS)
    assert len(lag) > 80
    assert max(lag) <= 5 + 20 + 40
    assert playout.counts.skipped > 150


def test_memory_is_bounded_when_nobody_pops() -> None:
    playout = Playout(20)
    for n in range(1000):
        playout.push(frame(n), n * 40 + OFFSET_MS)
    assert playout.counts.skipped == 1000 - CAPACITY
    newest = playout.pop(999 * 40 + OFFSET_MS + 20)
    assert newest is not None
    assert newest.sequence == 999


def test_a_frame_is_not_shown_when_it_waited_too_long() -> None:
    playout = Playout(20)
    playout.push(frame(0), OFFSET_MS)
    assert playout.pop(OFFSET_MS + STALE_MS + 1) is None
    assert playout.counts.stale == 1
    assert playout.next_due_ms() is None


def test_a_clock_that_drifts_never_makes_frames_stale() -> None:
    playout, shown = Playout(20), 0
    for n in range(25 * 600):  # ten minutes, the sender's clock 200 ppm slow: 120 ms in the end
        now = OFFSET_MS + n * 40 * 1.0002
        playout.push(frame(n), now)
        shown += playout.pop(now + 25) is not None
    assert shown == 25 * 600


@pytest.mark.parametrize("seed", range(3))
def test_absurd_numbers_from_a_peer_do_no_harm(seed: int) -> None:
    random = np.random.default_rng(seed)
    playout, now, last = Playout(20), OFFSET_MS, -1
    for _ in range(2000):
        now += float(random.exponential(10))
        sequence = int(random.integers(0, 2**32))
        playout.push(frame(sequence, captured_ms=int(random.integers(0, 2**32))), now)
        if (ready := playout.pop(now)) is not None:
            assert ready.sequence > last
            last = ready.sequence
        due = playout.next_due_ms()
        assert due is None or np.isfinite(due)
    counts = playout.counts
    assert counts.received == 2000


def test_frames_that_share_packets_are_shown_evenly() -> None:
    # Three frames a packet: the first has waited 80 ms, the second 40.
    shown = play([(n, 5.0 + 40 * (2 - n % 3)) for n in range(300)])
    at = np.array([time for _, time in shown])
    assert [n for n, _ in shown] == list(range(300))
    np.testing.assert_allclose(np.diff(at[6:]), 40)
    assert at[-1] - 299 * 40 - OFFSET_MS == pytest.approx(5 + 80)


def test_a_lost_frame_is_drawn_between_its_neighbours() -> None:
    playout, shown = Playout(60), []
    for n in (0, 1, 2, 4, 5):
        playout.push(frame(n), n * 40 + OFFSET_MS)
        now = n * 40 + OFFSET_MS + 60
        while (due := playout.next_due_ms()) is not None and due <= now:
            if (ready := playout.pop(due)) is not None:
                shown.append(ready)
    assert [ready.sequence for ready in shown] == [0, 1, 2, 3, 4, 5]
    assert shown[3].captured_ms == 120
    expected = (frame(2).params.camera.rotation + frame(4).params.camera.rotation) / 2
    np.testing.assert_allclose(shown[3].params.camera.rotation, expected, atol=1e-6)
    assert playout.counts.predicted == 1


def test_a_frame_is_told_with_when_it_was_due() -> None:
    playout = Playout(60)
    for n in (0, 1, 2, 4):
        playout.push(frame(n), n * 40 + OFFSET_MS + 5)
    wanted = [(0, 0.0), (1, 25.0), (2, 0.0)]  # sequence, and how late the painter asks for it
    for n, late_ms in wanted:
        due_ms = n * 40 + OFFSET_MS + 5 + 60
        assert (ready := playout.pop(due_ms + late_ms)) is not None
        assert ready.sequence == n
        assert playout.due_ms == pytest.approx(due_ms)
    assert playout.pop(OFFSET_MS + 2 * 40 + 66) is None
    assert playout.due_ms == pytest.approx(2 * 40 + OFFSET_MS + 65), "nothing was shown since"
    missed_ms = playout.next_due_ms()
    assert missed_ms is not None
    drawn = playout.pop(missed_ms)
    assert drawn is not None
    assert drawn.sequence == 3
    assert playout.due_ms == pytest.approx(3 * 40 + OFFSET_MS + 65), "missing, and due all the same"


def test_across_a_gap_the_face_goes_on_a_little_and_then_holds() -> None:
    shown = play([(n, 5.0) for n in range(20)] + [(n, 5.0) for n in range(40, 60)])
    numbers = [n for n, _ in shown]
    assert numbers == sorted(set(numbers))
    guessed = [n for n in numbers if 20 <= n < 39]
    assert guessed == list(range(20, 20 + int(GUESSED_MS / 40)))
    assert numbers[-20:] == list(range(40, 60))


def test_a_lost_packet_of_frames_leaves_no_gap() -> None:
    arrivals = [(n, 5.0 + 40 * (2 - n % 3)) for n in range(90) if not 45 <= n < 48]
    at = [time for n, time in play(arrivals) if n > 10]
    assert max(np.diff(at)) < 100


def test_after_a_pause_pictures_go_on_at_their_pace() -> None:
    playout, pops = Playout(20), 0
    for n in (*range(10), *range(40, 50)):
        playout.push(frame(n), n * 40 + OFFSET_MS)
        while (due := playout.next_due_ms()) is not None and due <= n * 40 + OFFSET_MS + 39:
            playout.pop(max(due, n * 40 + OFFSET_MS))
            pops += 1
    assert pops < 30
    assert playout.counts.predicted <= 6


def shown_over(link: str, seed: int, seconds: int = 30) -> list[float]:
    """Return when pictures are shown of a call over an emulated link, by a fast machine."""
    way = profile(link, seconds).up
    lane, told = Lane(way, str(seed)), []
    arrivals: list[tuple[float, bytes]] = []
    now_ms = 0.0

    def send(packet: bytes, _: int) -> bool:
        out_ms = lane.send(len(packet) + 93, now_ms)
        if isinstance(out_ms, Drop):
            # The packet after it shows the gap, and the word of it comes back.
            told.append(now_ms + 120 + 2 * way.delay_ms)
        else:
            arrivals.append((out_ms, packet))
        return True

    def is_lossy() -> bool:
        return any(at <= now_ms < at + LOSSY_MS for at in told)

    outgoing = Outgoing(Latency.NORMAL, send, is_lossy)
    for sent in frames(25 * seconds):
        now_ms = float(sent.captured_ms)
        outgoing.add(sent)
    outgoing.flush()
    return _shown(sorted(arrivals))


def _shown(arrivals: list[tuple[float, bytes]]) -> list[float]:
    playout, decoder, shown, now_ms = Playout(20), FrameDecoder(), [], 0.0
    for at_ms, packet in [*arrivals, (arrivals[-1][0] + 1000, b"")]:
        while (due_ms := playout.next_due_ms()) is not None and max(due_ms, now_ms) < at_ms:
            now_ms = max(due_ms, now_ms)
            if playout.pop(now_ms) is not None:
                now_ms += 15.0  # the painter's
                shown.append(now_ms)
        now_ms = max(now_ms, at_ms)
        with contextlib.suppress(StaleKeyError, TruncatedError):
            for taken in decoder.decode(packet):
                playout.push(taken, at_ms)
    return shown


@pytest.mark.parametrize(
    ("link", "most"), [("moderate", 0.002), ("loss10", 0.005), ("loss20", 0.02)]
)
async def test_lost_packets_hardly_freeze_the_picture(link: str, most: float) -> None:
    ratios = []
    for seed in range(3):
        shown = shown_over(link, seed)
        ratios.append(freeze_ratio(shown, shown[-1]))
    assert np.mean(ratios) < most


def test_a_frame_drawn_between_two_has_its_detail_between() -> None:
    playout = Playout(20.0)
    for number, sway in ((0, 0.0), (1, 0.1), (3, 0.3)):
        detail = Detail(*(np.full_like(part, sway) for part in Detail.none().parts))
        pushed = replace(frame(number), detail=detail)
        playout.push(pushed, number * 40 + OFFSET_MS)
        if number < 3:
            playout.pop(number * 40 + OFFSET_MS + 20)
    due = playout.next_due_ms()
    assert due is not None
    guessed = playout.pop(due)
    assert guessed is not None
    assert guessed.sequence == 2
    for part in guessed.detail.parts:
        np.testing.assert_allclose(part, 0.2, atol=1e-6)
