"""Frame packets: size, error, loss, and everything a peer can do to the decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.detail import IRIS_LIMIT, MOUTH_LIMIT, SWAY_LIMIT
from shared.face_model import FaceModel
from shared.latency import Latency
from shared.params import (
    EXPRESSION_LIMIT,
    LOG_SCALE_LIMITS,
    PARAMS_SIZE,
    ROTATION_LIMIT,
    TRANSLATION_LIMIT,
    Frame,
    Params,
)
from shared.wire import (
    DT_BITS,
    KEY_HEADER,
    KEY_PACKETS,
    MAX_FRAMES,
    PACKET_LIMIT,
    SEQUENCE_BITS,
    SPAN_MS,
    TIME_BITS,
    FrameDecoder,
    FrameEncoder,
    between,
)
from shared.wire_errors import (
    DuplicateError,
    EntropyError,
    KindError,
    StaleKeyError,
    TooLongError,
    TooOldError,
    TruncatedError,
    VersionError,
    WireError,
)
from shared.wire_table import DEAD_ZONE, WIRE_VERSION, wire_table, wire_tables
from tests.sending import BadNetwork, frames, track

MALFORMED = Path(__file__).parent / "fixtures" / "malformed"
COUNTS = (1, 3, 7)


def encode_all(sent: list[Frame], count: int = 1, latency: Latency = Latency.LOW) -> list[bytes]:
    encoder = FrameEncoder(latency.key_packets, latency.coarse)
    return [encoder.encode(sent[i : i + count]) for i in range(0, len(sent) - count + 1, count)]


def decode_all(packets: list[bytes]) -> tuple[list[Frame], list[WireError]]:
    decoder, taken, refused = FrameDecoder(), [], []
    for packet in packets:
        try:
            taken += decoder.decode(packet)
        except WireError as error:
            refused.append(error)
    return taken, refused


def is_close(sent: Params, got: Params, coarse: bool = False) -> bool:
    away = np.abs(sent.to_vector() - got.to_vector())
    return bool((away <= DEAD_ZONE * wire_table(coarse).steps + 1e-6).all())


@pytest.mark.parametrize("latency", list(Latency))
@pytest.mark.parametrize("count", COUNTS)
def test_every_frame_comes_back_within_a_dead_zone(count: int, latency: Latency) -> None:
    sent = frames(105)
    taken, refused = decode_all(encode_all(sent, count, latency))
    assert not refused
    assert [(f.sequence, f.captured_ms) for f in taken] == [
        (f.sequence, f.captured_ms) for f in sent
    ]
    assert all(
        is_close(a.params, b.params, latency.coarse) for a, b in zip(sent, taken, strict=True)
    )


@pytest.mark.parametrize("latency", list(Latency))
@pytest.mark.parametrize("count", COUNTS)
def test_the_detail_of_every_packet_s_last_frame_comes_back(count: int, latency: Latency) -> None:
    sent = frames(105)
    taken, _ = decode_all(encode_all(sent, count, latency))
    for anchor in range(count - 1, 105, count):
        parts = zip(taken[anchor].detail.parts, sent[anchor].detail.parts, strict=True)
        for table, (got, told) in zip(wire_tables(latency.coarse).detail, parts, strict=True):
            assert (np.abs(got - told) <= DEAD_ZONE * table.steps + 1e-6).all()


def test_the_detail_goes_straight_from_packet_to_packet() -> None:
    taken, _ = decode_all(encode_all(frames(21), 7))
    for before, *between_them, after in zip(*(f.detail.parts for f in taken[6:14]), strict=True):
        for place, part in enumerate(between_them, 1):
            np.testing.assert_allclose(part, before + place / 7 * (after - before), atol=1e-5)


def test_a_late_packet_s_detail_is_its_own() -> None:
    packets = encode_all(frames(9), 3)
    taken, refused = decode_all([packets[0], packets[2], packets[1]])
    assert not refused
    late = [frame.detail for frame in taken if 3 <= frame.sequence < 6]
    np.testing.assert_array_equal(late[0].sway, late[2].sway)
    np.testing.assert_array_equal(late[0].mouth, late[2].mouth)
    np.testing.assert_array_equal(late[0].iris, late[2].iris)
    np.testing.assert_allclose(late[2].sway, frames(9)[5].detail.sway, atol=0.003)


def test_same_frames_give_the_same_bytes() -> None:
    assert encode_all(frames(21), 3) == encode_all(frames(21), 3)


def test_frames_that_share_a_packet_cost_less() -> None:
    costs = [
        sum(map(len, encode_all(frames(210), latency.frames, latency))) / 210 for latency in Latency
    ]
    assert costs[0] > costs[1] > costs[2]
    assert costs[0] <= 36


@pytest.mark.parametrize("count", COUNTS)
def test_quantising_moves_points_less_than_three_thousandths_of_the_eye_distance(
    count: int,
) -> None:
    model = FaceModel.load()
    identity = np.zeros(len(model.identity), np.float32)
    taken, _ = decode_all(encode_all(frames(63), count))
    errors = []
    for sent, got in zip(track(63), taken, strict=True):
        shift = model.points(identity, sent) - model.points(identity, got.params)
        errors.append((shift**2).sum(axis=1).mean() / np.exp(2 * sent.camera.log_scale))
    assert np.sqrt(np.mean(errors)) < 0.003


@pytest.mark.parametrize("count", range(1, MAX_FRAMES + 1))
def test_every_frame_between_two_is_coded_once_and_after_its_neighbours(count: int) -> None:
    known = {0, count - 1}
    for middle, before, after in between(0, count - 1):
        assert before < middle < after
        assert {before, after} <= known
        assert middle not in known
        known.add(middle)
    assert known == set(range(count))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 3])
def test_a_lost_packet_is_forgotten_by_the_next_key(seed: int, count: int) -> None:
    sent = frames(201, seed)
    packets = encode_all(sent, count)
    arriving = BadNetwork(seed, loss=0.1).carry(packets)
    lost = set(packets) - set(arriving)
    taken, refused = decode_all(arriving)
    assert all(isinstance(error, StaleKeyError) for error in refused)
    # Only a lost key takes others with it, and no more than the packets up to the next one.
    spoilt = len(packets) - len(taken) // count
    assert len(lost) <= spoilt <= len(lost) * KEY_PACKETS
    assert all(is_close(sent[f.sequence].params, f.params) for f in taken)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 3])
def test_duplicates_and_reordering_never_give_a_wrong_or_repeated_frame(
    seed: int, count: int
) -> None:
    sent = frames(201, seed)
    network = BadNetwork(seed, loss=0.05, duplicate=0.2, reorder=6)
    taken, refused = decode_all(network.carry(encode_all(sent, count)))
    numbers = [frame.sequence for frame in taken]
    assert len(numbers) == len(set(numbers)) > 100
    assert all(is_close(sent[f.sequence].params, f.params) for f in taken)
    assert {type(error) for error in refused} <= {DuplicateError, StaleKeyError}
    assert any(isinstance(error, DuplicateError) for error in refused)


def test_numbers_and_times_survive_wrapping() -> None:
    base_s, base_ms = (1 << SEQUENCE_BITS) - 10, (1 << TIME_BITS) - 400
    encoder, decoder = FrameEncoder(), FrameDecoder()
    params = track(1)[0]
    decoder.decode(encoder.encode([Frame(base_s // 2, base_ms // 2, params)]))
    for i in range(0, 30, 2):
        pair = [Frame(base_s + i + k, base_ms + 40 * (i + k), params) for k in range(2)]
        got = decoder.decode(encoder.encode(pair))
        assert [(f.sequence, f.captured_ms) for f in got] == [
            (f.sequence, f.captured_ms) for f in pair
        ]


def test_times_within_a_packet_are_even_and_its_last_exact() -> None:
    sent = [
        Frame(i, ms, params)
        for i, (ms, params) in enumerate(zip((0, 45, 81), track(3), strict=True))
    ]
    got = FrameDecoder().decode(FrameEncoder().encode(sent))
    assert got[-1].captured_ms == 81
    assert abs(got[0].captured_ms) <= SPAN_MS
    assert abs(got[1].captured_ms - 40) <= SPAN_MS


def test_a_pause_longer_than_a_delta_can_say_makes_a_key() -> None:
    encoder, decoder = FrameEncoder(), FrameDecoder()
    first, second = track(2)
    encoder.encode([Frame(0, 0, first)])
    (late,) = decoder.decode(encoder.encode([Frame(1, 1 << DT_BITS, second)]))
    assert late.captured_ms == 1 << DT_BITS


@pytest.mark.parametrize("numbers", [[], [0, 2], [1, 0], list(range(MAX_FRAMES + 1))])
def test_only_neighbours_share_a_packet(numbers: list[int]) -> None:
    params = track(1)[0]
    with pytest.raises((ValueError, IndexError)):
        FrameEncoder().encode([Frame(n, 40 * n, params) for n in numbers])


def test_a_replay_is_a_duplicate_and_then_too_old() -> None:
    packets = encode_all(frames(99), 3)
    decoder = FrameDecoder()
    decoder.decode(packets[0])
    with pytest.raises(DuplicateError):
        decoder.decode(packets[0])
    for packet in packets[1:]:
        decoder.decode(packet)
    with pytest.raises(TooOldError):
        decoder.decode(packets[0])


def test_a_packet_that_repeats_one_frame_of_another_is_a_duplicate() -> None:
    sent = frames(5)
    decoder = FrameDecoder()
    decoder.decode(FrameEncoder().encode(sent[:3]))
    with pytest.raises(DuplicateError):
        decoder.decode(FrameEncoder().encode(sent[2:]))


def test_a_refused_packet_leaves_the_decoder_as_it_was() -> None:
    packets = encode_all(frames(8))
    decoder = FrameDecoder()
    decoder.decode(packets[0])
    with pytest.raises(EntropyError):
        decoder.decode(packets[1] + b"\x01")
    assert decoder.decode(packets[1])[0].sequence == 1


def test_a_delta_does_not_build_on_a_key_of_other_steps() -> None:
    sent = frames(2)
    fine, coarse = FrameEncoder(), FrameEncoder(coarse=True)
    decoder = FrameDecoder()
    decoder.decode(fine.encode(sent[:1]))
    coarse.encode(sent[:1])
    with pytest.raises(StaleKeyError):
        decoder.decode(coarse.encode(sent[1:]))


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        (b"", TruncatedError),
        (b"\xc0", TruncatedError),
        (b"\xc0\x00\x00", TruncatedError),
        (b"\xc0\x10\x00\x00", TruncatedError),
        (b"\xc4\x00\x00\x00\x00\x00", TruncatedError),  # two frames and no span
        (b"\x20" + bytes(20), VersionError),
        (b"\xe0" + bytes(20), VersionError),
        (b"\xc8\x00\x00\x00\x00\x00" + bytes(20), KindError),  # three frames up to number 0
        (b"\xc0\x10" + bytes(20), StaleKeyError),
        (b"\xc0" + bytes(PACKET_LIMIT), TooLongError),
    ],
)
def test_each_way_to_be_bad_has_its_error(packet: bytes, error: type[WireError]) -> None:
    with pytest.raises(error):
        FrameDecoder().decode(packet)


@pytest.mark.parametrize("count", COUNTS)
def test_a_cut_packet_is_refused_or_within_the_limits(count: int) -> None:
    # There is no checksum: DTLS carries each packet whole or not at all.
    (packet,) = encode_all(frames(count), count)
    for size in range(len(packet)):
        taken, refused = decode_all([packet[:size]])
        assert bool(taken) != bool(refused)
        assert not taken or size > KEY_HEADER


@given(st.binary(max_size=PACKET_LIMIT + 4))
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_only_wire_errors(packet: bytes) -> None:
    decoder = FrameDecoder()
    decoder.decode(encode_all(frames(1))[0])
    try:
        got = decoder.decode(packet)
    except WireError:
        return
    for frame in got:
        Params.from_vector(frame.params.to_vector())
        assert np.abs(frame.detail.sway).max() <= SWAY_LIMIT
        assert np.abs(frame.detail.mouth).max() <= MOUTH_LIMIT
        assert np.abs(frame.detail.iris).max() <= IRIS_LIMIT


@given(st.binary(max_size=40), st.integers(0, 31), st.integers(1, MAX_FRAMES), st.booleans())
@settings(max_examples=300, deadline=None)
def test_random_bodies_behind_a_valid_header_raise_only_wire_errors(
    body: bytes, distance: int, count: int, coarse: bool
) -> None:
    decoder = FrameDecoder()
    decoder.decode(encode_all(frames(1))[0])
    first = (WIRE_VERSION << 3 | count - 1) << 6 | coarse << 5 | distance
    sequence = max(distance, count)
    head = (first << SEQUENCE_BITS | sequence) << (DT_BITS if distance else TIME_BITS)
    try:
        got = decoder.decode(head.to_bytes(5 if distance else 6, "big") + body)
    except WireError:
        return
    assert len(got) == count
    assert all(np.isfinite(frame.params.to_vector()).all() for frame in got)
    assert all(np.isfinite(part).all() for frame in got for part in frame.detail.parts)


@given(
    st.lists(st.floats(-1e9, 1e9, width=32), min_size=PARAMS_SIZE, max_size=PARAMS_SIZE),
    st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_any_params_can_be_sent_and_stay_in_range(values: list[float], coarse: bool) -> None:
    limits = np.r_[
        np.full(28, EXPRESSION_LIMIT),
        LOG_SCALE_LIMITS[1],
        np.full(3, ROTATION_LIMIT),
        np.full(3, TRANSLATION_LIMIT),
    ]
    params = Params.from_vector(np.clip(values, -limits, limits))
    wild = [Frame(0, 0, params), Frame(1, 40, track(1)[0]), Frame(2, 80, params)]
    packet = FrameEncoder(coarse=coarse).encode(wild)
    assert len(packet) <= PACKET_LIMIT
    for sent, got in zip(wild, FrameDecoder().decode(packet), strict=True):
        away = np.abs(got.params.to_vector() - sent.params.to_vector())
        assert (away <= 2 * wire_table(coarse).steps + 1e-5).all()


@pytest.mark.parametrize("path", sorted(MALFORMED.glob("frame-*")), ids=lambda path: path.stem)
def test_malformed_packet_files_are_refused(path: Path) -> None:
    with pytest.raises(WireError) as caught:
        FrameDecoder().decode(path.read_bytes())
    assert type(caught.value).__name__ == path.stem.split("-")[1]


@pytest.mark.parametrize("seed", range(3))
def test_replays_and_late_packets_are_dropped_across_the_wrap(seed: int) -> None:
    start = (1 << SEQUENCE_BITS) - 40
    sent = [Frame(start + f.sequence, f.captured_ms, f.params) for f in frames(80, seed)]
    early = [Frame(start - 2000 + 40 * i, 0, sent[0].params) for i in range(50)]
    packets = encode_all([*early, *sent])
    network = BadNetwork(seed, duplicate=0.5, reorder=6)
    arriving = [*packets[: len(early)], *network.carry(packets[len(early) :])]
    taken, refused = decode_all(arriving + arriving[-60:] + arriving[:60])
    numbers = [frame.sequence for frame in taken]
    assert len(numbers) == len(set(numbers))
    assert {frame.sequence for frame in sent} >= set(numbers[len(early) :])
    assert max(numbers) >= 1 << SEQUENCE_BITS
    assert len(numbers) + len(refused) == len(arriving) + 120
    assert {type(error) for error in refused} <= {DuplicateError, TooOldError, StaleKeyError}
