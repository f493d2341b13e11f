"""The sentences follow the figures, also where they are against us."""

from __future__ import annotations

from benchmarks.rd_words import matching, ours_of, sentences
from benchmarks.scores import METRICS
from tests.measured import results

PSNR = METRICS[0]


def test_where_ours_is_worse_the_report_says_so() -> None:
    text = " ".join(sentences(results(ours_quality=0.1)))
    assert "11.5 kbps (normal)" in text
    assert "none of the codecs can send as little" in text
    assert "the lowest floor is 15.0 kbps (x264-veryfast), of which 10.0 are packet headers" in text
    assert "Already at that floor x264-veryfast is nearer to the original than ours in PSNR" in text
    assert "20.80 against our 19.40" in text
    assert "identity distance 0.500 against our 0.550" in text
    assert "Ours is better" not in text
    assert "where a link carries that, take a codec" in text
    assert "The reference picture alone, without a call, scores PSNR 0.50" in text


def test_where_ours_is_better_it_says_up_to_which_rate() -> None:
    text = " ".join(sentences(results(ours_quality=0.5)))
    assert "Already at that floor" not in text
    # Half way between the second point of the cheaper codec and its third, by logarithm.
    assert "PSNR (25.00) below 24 kbps, where x264-veryfast draws level" in text
    assert "up to 24 kbps where what counts is PSNR" in text


def test_where_it_depends_on_what_counts_it_says_on_what() -> None:
    found = results(ours_quality=0.1)
    for point in found["summary"]["headcall-lite"]["curve"]:
        point["identity"] = 0.01
    text = " ".join(sentences(found))
    assert "identity distance (0.010) up to 60 kbps, where the sweep ends" in text
    assert "ours for identity distance, a codec for PSNR, luma PSNR" in text


def test_the_reference_is_paid_back_after_a_while() -> None:
    # 18,500 bytes more, 3.5 kbps saved: 42 s.
    text = sentences(results())[-1]
    assert text.endswith("only from 42 s on.")
    assert "20.0 kB" in text


def test_a_codec_that_sends_less_than_ours_is_named() -> None:
    found = results()
    for point in found["summary"]["vp9"]["curve"]:
        point["wire_kbps"] /= 4
    text = " ".join(sentences(found))
    assert "vp9 can send as little as our default setting" in text
    assert "no link on which ours is the only choice" in text
    assert "never made up for" in text


def test_one_side_alone_is_compared_with_nothing() -> None:
    found = results()
    del found["summary"]["headcall-lite"]
    assert ours_of(found) is None
    assert "nothing to compare" in sentences(found)[0]


def test_the_rate_at_which_a_codec_matches() -> None:
    found = results(ours_quality=0.3)
    chosen = ours_of(found)
    assert chosen is not None
    curve = found["summary"]["x264-veryfast"]["curve"]
    text, rate = matching(PSNR, chosen[1], curve)
    assert rate is not None
    assert 15 < rate < 21
    assert text == f"{rate:.1f}"
    assert matching(PSNR, chosen[1] | {"psnr": 1.0}, curve)[0] == "15.0 (its floor)"
    assert matching(PSNR, chosen[1] | {"psnr": 99.0}, curve) == ("not below 60", None)
    assert matching(PSNR, chosen[1] | {"psnr": None}, curve) == ("not measured", None)
