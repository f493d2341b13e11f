"""The codecs: low delay in fact, lossless where told to, refused by name where unknown."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from benchmarks.codecs import CODECS, Codec, CodecError, chosen, code
from benchmarks.scores import Scorer
from shared.errors import BadInputError
from shared.metrics import IDENTICAL_DB, psnr
from shared.pictures import Image
from tests.moving import moving_pictures, networkless, scored_material

FPS = Fraction(25)
LOSSLESS = Codec(
    "lossless", "lossless", "libx264rgb", ("h264",),
    {"preset": "veryfast", "tune": "zerolatency", "qp": "{q}"}, (0,), "rgb24",
)  # fmt: skip
THERE = [codec for codec in CODECS if codec.is_there]


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    return moving_pictures(12)


@pytest.mark.parametrize("codec", THERE, ids=lambda codec: codec.name)
def test_each_codec_is_low_delay_with_one_key_frame(codec: Codec, pictures: list[Image]) -> None:
    priority = os.sched_getscheduler(0)
    coded = code(codec, codec.ladder[0], pictures, FPS)
    assert os.sched_getscheduler(0) == priority, "all that is started later would inherit it"
    assert coded.held == 0
    assert coded.keys == [0]
    assert len(coded.sizes) == len(coded.pictures) == len(pictures)


@pytest.mark.parametrize("codec", THERE, ids=lambda codec: codec.name)
def test_finer_quantisers_cost_more_and_look_better(codec: Codec, pictures: list[Image]) -> None:
    coarse, fine = (code(codec, codec.ladder[step], pictures, FPS) for step in (0, 5))
    assert sum(coarse.sizes) < sum(fine.sizes)
    worse, better = (
        np.mean([psnr(*pair) for pair in zip(pictures, coded.pictures, strict=True)])
        for coded in (coarse, fine)
    )
    assert worse < better
    # The pictures are those of the frames, in their order.
    assert better > 25


def test_lossless_gives_every_bit_back(pictures: list[Image]) -> None:
    coded = code(LOSSLESS, 0, pictures, FPS)
    for picture, decoded in zip(pictures, coded.pictures, strict=True):
        np.testing.assert_array_equal(picture, decoded)
    scores = Scorer(scored_material(pictures), networkless()).score(coded.pictures)
    assert scores["psnr"] == [IDENTICAL_DB] * (len(pictures) - 1)  # which stands for infinity
    assert scores["ssim"] == pytest.approx([1.0] * (len(pictures) - 1))


def test_what_ffmpeg_is_told_is_what_we_do() -> None:
    veryfast = next(codec for codec in CODECS if codec.name == "x264-veryfast")
    assert veryfast.command(45) == (
        "ffmpeg -i CLIP.mkv -sws_flags bicubic -pix_fmt yuv420p -c:v libx264 -g 9999 -bf 0 "
        "-threads 1 -preset veryfast -tune zerolatency -sc_threshold 0 -qp 45 out.mkv"
    )


def test_settings_that_an_encoder_refuses_are_told(pictures: list[Image]) -> None:
    wrong = Codec("x", "x", "libx264", ("h264",), {"preset": "no-such"}, (0,))
    with pytest.raises(CodecError, match="x at 0 failed"):
        code(wrong, 0, pictures, FPS)


def test_a_codec_that_is_not_there_says_so() -> None:
    for codec in CODECS:
        assert codec.is_there == (codec.encoder in av.codecs_available)
    assert not Codec("x", "x", "no-such-encoder", (), {}, (0,)).is_there


KNOWN = {"a-fast": {"a"}, "a-slow": {"a"}, "b": {"b"}}


def test_names_and_families_are_chosen() -> None:
    assert chosen(["b"], KNOWN) == ["b"]
    assert chosen(["b", " a"], KNOWN) == ["a-fast", "a-slow", "b"]
    assert chosen(["a-slow", ""], KNOWN) == ["a-slow"]


@pytest.mark.parametrize("names", [["c"], ["b", "c"], [""], []])
def test_unknown_names_are_refused_with_those_known(names: list[str]) -> None:
    with pytest.raises(BadInputError, match="a-fast, a-slow, b"):
        chosen(names, KNOWN)
