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
    assert (
        "PSNR (RGB): ours 19.40, worse than every codec even at its floor: x264-veryfast (20.80) "
        "and vp9 (20.80)."
    ) in text
    assert "take a codec if what counts is PSNR (RGB)" in text


def test_where_ours_is_better_it_says_that() -> None:
    text = " ".join(sentences(results(ours_quality=0.5)))
    assert "PSNR (RGB): ours 25.00, better than every codec at its floor" in text
    assert "take a codec if" not in text


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
    assert "a codec is there for less than ours costs" in text
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
