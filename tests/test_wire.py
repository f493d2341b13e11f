"""Frame packets: size, error, loss, and everything a peer can do to the decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.face_model import FaceModel
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
    KEY_INTERVAL,
    PACKET_LIMIT,
    SEQUENCE_BITS,
    TIME_BITS,
    FrameDecoder,
    FrameEncoder,
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
from shared.wire_table import wire_table
from tests.sending import BadNetwork, frames, track

MALFORMED = Path(__file__).parent / "fixtures" / "malformed"


def encode_all(sent: list[Frame]) -> list[bytes]:
    encoder = FrameEncoder()
    return [encoder.encode(frame) for frame in sent]


def decode_all(packets: list[bytes]) -> tuple[list[Frame], list[WireError]]:
    decoder, taken, refused = FrameDecoder(), [], []
    for packet in packets:
        try:
            taken.append(decoder.decode(packet))
        except WireError as error:
            refused.append(error)
    return taken, refused


def is_close(sent: Params, got: Params) -> bool:
    steps = wire_table().steps
    return bool((np.abs(sent.to_vector() - got.to_vector()) <= steps / 2 + 1e-6).all())


def test_every_frame_comes_back_within_half_a_step() -> None:
    sent = frames(100)
    taken, refused = decode_all(encode_all(sent))
    assert not refused
    assert [(f.sequence, f.captured_ms) for f in taken] == [
        (f.sequence, f.captured_ms) for f in sent
    ]
    assert all(is_close(a.params, b.params) for a, b in zip(sent, taken, strict=True))


def test_same_frames_give_the_same_bytes() -> None:
    assert encode_all(frames(20)) == encode_all(frames(20))


def test_a_smooth_track_needs_at_most_twenty_bytes_a_frame() -> None:
    sizes = [len(packet) for packet in encode_all(frames(200))]
    assert np.mean(sizes) <= 20


def test_quantising_moves_points_less_than_three_thousandths_of_the_eye_distance() -> None:
    model = FaceModel.load()
    identity = np.zeros(len(model.identity), np.float32)
    taken, _ = decode_all(encode_all(frames(60)))
    errors = []
    for sent, got in zip(track(60), taken, strict=True):
        shift = model.points(identity, sent) - model.points(identity, got.params)
        errors.append((shift**2).sum(axis=1).mean() / np.exp(2 * sent.camera.log_scale))
    assert np.sqrt(np.mean(errors)) < 0.003


@pytest.mark.parametrize("seed", range(5))
def test_a_lost_packet_is_forgotten_by_the_next_key(seed: int) -> None:
    sent = frames(200, seed)
    packets = encode_all(sent)
    arriving = BadNetwork(seed, loss=0.1).carry(packets)
    lost = set(packets) - set(arriving)
    taken, refused = decode_all(arriving)
    assert all(isinstance(error, StaleKeyError) for error in refused)
    # Only a lost key takes others with it, and no more than the frames up to the next one.
    spoilt = len(sent) - len(taken)
    assert len(lost) <= spoilt <= len(lost) * KEY_INTERVAL
    assert all(is_close(sent[f.sequence].params, f.params) for f in taken)


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_and_reordering_never_give_a_wrong_or_repeated_frame(seed: int) -> None:
    sent = frames(200, seed)
    network = BadNetwork(seed, loss=0.05, duplicate=0.2, reorder=6)
    taken, refused = decode_all(network.carry(encode_all(sent)))
    numbers = [frame.sequence for frame in taken]
    assert len(numbers) == len(set(numbers)) > 100
    assert all(is_close(sent[f.sequence].params, f.params) for f in taken)
    assert {type(error) for error in refused} <= {DuplicateError, StaleKeyError}
    assert any(isinstance(error, DuplicateError) for error in refused)


def test_numbers_and_times_survive_wrapping() -> None:
    base_s, base_ms = (1 << SEQUENCE_BITS) - 10, (1 << TIME_BITS) - 400
    encoder, decoder = FrameEncoder(), FrameDecoder()
    params = track(1)[0]
    decoder.decode(encoder.encode(Frame(base_s // 2, base_ms // 2, params)))
    for i in range(30):
        frame = Frame(base_s + i, base_ms + 40 * i, params)
        got = decoder.decode(encoder.encode(frame))
        assert (got.sequence, got.captured_ms) == (frame.sequence, frame.captured_ms)


def test_a_pause_longer_than_a_delta_can_say_makes_a_key() -> None:
    encoder, decoder = FrameEncoder(), FrameDecoder()
    first, second = track(2)
    encoder.encode(Frame(0, 0, first))
    late = Frame(1, 1 << DT_BITS, second)
    assert decoder.decode(encoder.encode(late)).captured_ms == 1 << DT_BITS


def test_a_replay_is_a_duplicate_and_then_too_old() -> None:
    packets = encode_all(frames(100))
    decoder = FrameDecoder()
    decoder.decode(packets[0])
    with pytest.raises(DuplicateError):
        decoder.decode(packets[0])
    for packet in packets[1:]:
        decoder.decode(packet)
    with pytest.raises(TooOldError):
        decoder.decode(packets[0])


def test_a_refused_packet_leaves_the_decoder_as_it_was() -> None:
    packets = encode_all(frames(8))
    decoder = FrameDecoder()
    decoder.decode(packets[0])
    with pytest.raises(EntropyError):
        decoder.decode(packets[1] + b"\x01")
    assert decoder.decode(packets[1]).sequence == 1


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        (b"", TruncatedError),
        (b"\x20", TruncatedError),
        (b"\x20\x00\x00", TruncatedError),
        (b"\x22\x00\x00\x00", TruncatedError),
        (b"\x40" + bytes(20), VersionError),
        (b"\xe0" + bytes(20), VersionError),
        (b"\x20\x80" + bytes(20), KindError),
        (b"\x22" + bytes(20), StaleKeyError),
        (b"\x20" + bytes(PACKET_LIMIT), TooLongError),
    ],
)
def test_each_way_to_be_bad_has_its_error(packet: bytes, error: type[WireError]) -> None:
    with pytest.raises(error):
        FrameDecoder().decode(packet)


def test_a_cut_packet_is_refused_or_within_the_limits() -> None:
    # There is no checksum: DTLS carries each packet whole or not at all.
    (packet,) = encode_all(frames(1))
    for size in range(len(packet)):
        taken, refused = decode_all([packet[:size]])
        assert len(taken) + len(refused) == 1
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
    Params.from_vector(got.params.to_vector())


@given(st.binary(max_size=40), st.integers(0, 15), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_random_bodies_behind_a_valid_header_raise_only_wire_errors(
    body: bytes, distance: int, kind: int
) -> None:
    decoder = FrameDecoder()
    decoder.decode(encode_all(frames(1))[0])
    head = (1 << 37 | distance << 33 | kind << 31 | max(distance, 1) << DT_BITS).to_bytes(5, "big")
    try:
        got = decoder.decode(head + body)
    except WireError:
        return
    assert np.isfinite(got.params.to_vector()).all()


@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=PARAMS_SIZE, max_size=PARAMS_SIZE))
@settings(max_examples=50, deadline=None)
def test_any_params_can_be_sent_and_stay_in_range(values: list[float]) -> None:
    limits = np.r_[
        np.full(28, EXPRESSION_LIMIT),
        LOG_SCALE_LIMITS[1],
        np.full(3, ROTATION_LIMIT),
        np.full(3, TRANSLATION_LIMIT),
    ]
    params = Params.from_vector(np.clip(values, -limits, limits))
    packet = FrameEncoder().encode(Frame(0, 0, params))
    assert len(packet) <= PACKET_LIMIT
    got = FrameDecoder().decode(packet).params.to_vector()
    assert (np.abs(got - params.to_vector()) <= 2 * wire_table().steps + 1e-5).all()


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
