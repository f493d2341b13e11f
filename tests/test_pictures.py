from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from shared.errors import BadInputError
from shared.pictures import LOCAL_MAX_BYTES, decode_picture, read_picture


def picture_bytes(kind: str, **options: object) -> bytes:
    gradient = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(gradient).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_are_decoded_as_rgb(kind: str) -> None:
    image = decode_picture(picture_bytes(kind), 10_000)
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert image[0].mean() < 10 < 245 < image[-1].mean()


def test_a_phone_picture_is_turned_upright() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    assert decode_picture(picture_bytes("JPEG", exif=exif), 10_000).shape == (64, 48, 3)


def test_transparency_and_grey_become_rgb() -> None:
    for mode in ("L", "RGBA", "P", "1"):
        buffer = io.BytesIO()
        PIL.Image.new(mode, (20, 10)).save(buffer, "PNG")
        assert decode_picture(buffer.getvalue(), 10_000).shape == (10, 20, 3)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(BadInputError, match="not a JPEG, PNG or WebP"):
        decode_picture(picture_bytes(kind), 10_000)


@pytest.mark.parametrize("side", [2001, 11_000, 60_000])
def test_a_picture_with_too_many_pixels_is_refused_by_its_header(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"
    with pytest.raises(BadInputError, match=r"at most 4 million|broken"):
        decode_picture(bomb + bytes(4), 4_000_000)


def test_damaged_bytes_raise_nothing_but_bad_input() -> None:
    random = np.random.default_rng(7)
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = np.frombuffer(picture_bytes(kind), np.uint8)
        for _ in range(60):
            damaged = whole[: random.integers(1, len(whole) + 1)].copy()
            where = random.integers(0, len(damaged), 5)
            damaged[where] = random.integers(0, 256, 5)
            try:
                image = decode_picture(damaged.tobytes(), 100_000)
            except BadInputError:
                continue
            assert image.ndim == 3


def test_local_files_are_named_in_the_sentence(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    good.write_bytes(picture_bytes("PNG"))
    assert read_picture(good).shape == (48, 64, 3)

    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(LOCAL_MAX_BYTES + 1)
    for path, reason in [
        (text, "not a JPEG"),
        (huge, "larger than 50 MB"),
        (tmp_path / "missing.jpg", "not a file"),
        (tmp_path, "not a file"),
    ]:
        with pytest.raises(BadInputError, match=reason) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)
