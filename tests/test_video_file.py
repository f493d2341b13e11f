from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from receiver.picture import Picture, with_mark
from receiver.video_file import VideoFile
from shared.errors import BadInputError
from shared.pictures import Image
from tests.tones import onset_s, packets


def picture(sequence: int, captured_ms: int) -> Picture:
    random = np.random.default_rng(sequence)
    small = random.integers(0, 256, (16, 16, 3), np.uint8)
    return Picture(sequence, captured_ms, 10.0, with_mark(small.repeat(16, 0).repeat(16, 1)))


def read(path: Path) -> list[tuple[float, Image]]:
    with av.open(str(path)) as container:
        return [
            (round(float(item.pts * item.time_base) * 1000), item.to_ndarray(format="rgb24"))
            for item in container.decode(video=0)
        ]


def test_mkv_is_lossless_and_keeps_capture_times(tmp_path: Path) -> None:
    pictures = [picture(n, 700 + at) for n, at in enumerate([0, 40, 81, 400, 439])]
    file = VideoFile(tmp_path / "call.mkv")
    for item in pictures:
        file.show(item)
    file.end_call()
    rows = read(tmp_path / "call.mkv")
    assert [at for at, _ in rows] == [0, 40, 81, 400, 439]
    for item, (_, image) in zip(pictures, rows, strict=True):
        np.testing.assert_array_equal(image, item.image)


def test_mp4_is_for_players(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "call.mp4")
    for n in range(30):
        file.show(picture(n, n * 40))
    file.end_call()
    with av.open(str(tmp_path / "call.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.width, context.height) == (256, 288)
    rows = read(tmp_path / "call.mp4")
    assert [at for at, _ in rows] == [n * 40 for n in range(30)]
    error = np.abs(rows[7][1].astype(int) - picture(7, 0).image).mean()
    assert error < 25  # chroma is halved and the pattern is coarse noise


def test_a_capture_time_that_repeats_still_gives_a_valid_file(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "call.mkv")
    for n, at in enumerate([100, 100, 90, 140]):
        file.show(picture(n, at))
    file.end_call()
    assert [at for at, _ in read(tmp_path / "call.mkv")] == [0, 1, 2, 40]


def test_each_call_has_a_file_and_an_empty_call_touches_none(tmp_path: Path) -> None:
    path = tmp_path / "call.mkv"
    path.write_bytes(b"older")
    file = VideoFile(path)
    file.end_call()
    assert path.read_bytes() == b"older"
    for call in range(2):
        file.show(picture(call, 0))
        file.end_call()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["call-2.mkv", "call.mkv"]
    np.testing.assert_array_equal(read(tmp_path / "call-2.mkv")[0][1], picture(1, 0).image)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("call.avi", r"must end in \.mkv or \.mp4"),
        ("call", r"must end in"),
        ("nowhere/call.mp4", "does not exist; create it first"),
        ("folder.mp4", "is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_call(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(BadInputError, match=reason):
        VideoFile(tmp_path / name)


@pytest.mark.parametrize("name", ["call.mkv", "call.mp4"])
def test_a_leap_in_a_peers_clock_still_gives_a_valid_file(tmp_path: Path, name: str) -> None:
    file = VideoFile(tmp_path / name)
    for n, at in enumerate([0, 40, 3_600_000, 2**31, 2**31 + 40]):
        file.show(picture(n, at))
    file.end_call()
    rows = [at for at, _ in read(tmp_path / name)]
    assert rows == [0, 40, 3_600_000, 3_600_001, 3_600_041]


@pytest.mark.parametrize("name", ["call.mkv", "call.mp4"])
def test_sound_lies_where_it_was_spoken(tmp_path: Path, name: str) -> None:
    file = VideoFile(tmp_path / name)
    file.expect_sound()
    speech = iter(packets(20))  # a tone from 700 ms on; the file begins at 500 ms
    for n in range(40):
        at = 500 + n * 40
        if at >= 700 and n % 3 == 0 and (packet := next(speech, None)) is not None:
            file.hear(packet, 700.0 + (packet.pts or 0) / 48)
        file.show(picture(n, at))
    file.end_call()
    assert onset_s(tmp_path / name) == pytest.approx(0.2, abs=0.02)
    assert len(read(tmp_path / name)) == 40


def test_a_call_without_sound_has_a_file_without(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "call.mkv")
    for sounds in (True, False):
        if sounds:
            file.expect_sound()
        file.hear(packets(1)[0], 60.0)  # left out where none was announced
        file.show(picture(0, 0))
        file.end_call()
    for path, streams in ((tmp_path / "call.mkv", 1), (tmp_path / "call-2.mkv", 0)):
        with av.open(str(path)) as container:
            assert len(container.streams.audio) == streams


def test_sound_that_waits_for_a_picture_is_bounded(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "call.mkv")
    (packet,) = packets(1)
    for n in range(1000):
        file.hear(packet, float(n))
    assert len(file._heard) == 256
    file.end_call()
    assert not file._heard


def test_an_error_in_writing_is_raised_with_the_next_picture(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "call.mkv")
    file.show(picture(0, 0))
    file.show(Picture(1, 40, 10.0, np.zeros((288, 256), np.uint8)))  # not RGB
    with pytest.raises(ValueError, match="Expected numpy array"):
        file.show(picture(2, 80))
    file.end_call()
    assert len(read(tmp_path / "call.mkv")) == 1
