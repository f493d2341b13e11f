"""The report: one file with everything in it, readable, and safe for any clip's name."""

from __future__ import annotations

import base64
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.rd_plot import draw
from benchmarks.rd_report import write_report
from tests.chromium import browser, find
from tests.measured import results, strips


@pytest.fixture
def report(tmp_path: Path) -> Path:
    found = results()
    draw(tmp_path / "rate_distortion.png", found)
    path = tmp_path / "report.html"
    write_report(path, found, strips(found))
    return path


class _Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self.images.append(given["src"] or "")
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_it_is_one_file_with_its_pictures_in_it(report: Path) -> None:
    page = _Sources()
    page.feed(report.read_text())
    # Three plots; two clips, two frames each: the original, ours and two codecs.
    assert len(page.images) == 3 + 2 * 2 * 4
    assert all(link.startswith("data:image/") for link in page.links)
    for image in page.images:
        assert len(base64.b64decode(image.split(",", 1)[1], validate=True)) > 100


def test_it_says_what_is_needed_to_judge_it(report: Path) -> None:
    text = report.read_text()
    assert "nearer to the original than ours in PSNR" in text
    assert "Left out: libaom-av1: not here." in text
    assert "BD-rate" in text
    assert "Synthesised from one photograph" in text
    assert "ffmpeg -c:v vp9 q 51" in text
    assert "&lt;ben&gt;" in text
    assert "<ben>" not in text


def test_codecs_are_shown_at_our_rate_or_their_floor(report: Path) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", report.read_text())
    assert any(caption.startswith("headcall-lite, normal: 11.5 kbps") for caption in captions)
    shown = {caption.split(":")[0] for caption in captions if "q " in caption}
    assert shown == {"x264-veryfast, q 51", "vp9, q 51"}


def test_calls_on_a_busy_machine_are_owned_up_to(tmp_path: Path) -> None:
    found = results()
    draw(tmp_path / "rate_distortion.png", found)
    for point in found["points"]:
        if "sent_fps" in point:
            point["sent_fps"] = 12.0
    write_report(tmp_path / "report.html", found, strips(found))
    assert "too busy in the calls of" in (tmp_path / "report.html").read_text()


async def test_a_browser_shows_it_without_scrolling_sideways(report: Path, tmp_path: Path) -> None:
    binary = find()
    if binary is None:
        pytest.skip("chromium is not installed")
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
    async with browser(binary, tmp_path / "profile", report.as_uri()) as page:
        for width in (1280, 390):
            await page.show_as(width, 900, "light")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
        assert await page.evaluate(broken) == 0
