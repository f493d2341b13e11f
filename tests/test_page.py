"""The page in a real browser during a real call with the real generator."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from benchmarks.weather import Weather
from models.engine import Engine
from receiver.generator import Generator
from receiver.tokens import Role, Tokens
from shared.face_model import FaceModel
from shared.params import Frame
from shared.transport import CallSender
from shared.voice import PACKET_MS
from tests import chromium
from tests.driving import Drive, track
from tests.receiving import FACE_MODEL, frame, params, serving
from tests.tones import packets

BROWSER = chromium.find()

STATE = "document.getElementById('state')?.textContent"

# The green of every fourth pixel of what the <video> shows; null while it shows nothing.
PIXELS = """(() => {
  const video = document.getElementById("picture");
  if (video.readyState < 2 || !video.videoWidth) return null;
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return {width: canvas.width, height: canvas.height,
    green: Array.from(pixels).filter((_, i) => i % 16 === 1)};
})()"""

# The same, once it differs from the pixels named before.
MOVED = """(() => {
  const before = window.before ??= PIXELS;
  const now = PIXELS;
  if (!now) { window.before = undefined; return null; }
  const change = now.green.reduce((sum, g, i) => sum + Math.abs(g - before.green[i]), 0);
  return change / now.green.length > 1 ? now : null;
})()""".replace("PIXELS", PIXELS)


# Whether the page is given sound that is loud.
HEARD = """(() => {
  const video = document.getElementById("picture");
  const track = video.srcObject?.getAudioTracks()[0];
  if (!track) return null;
  if (!window.context) {
    window.context = new AudioContext();
    window.analyser = window.context.createAnalyser();
    window.context.createMediaStreamSource(new MediaStream([track])).connect(window.analyser);
  }
  window.context.resume();
  const samples = new Float32Array(window.analyser.fftSize);
  window.analyser.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs)) > 0.05;
})()"""


async def talk(caller: CallSender, drive: Drive) -> None:
    """Send the clip to and fro for as long as the test lasts."""
    there_and_back = drive.params + drive.params[::-1]
    sequence = 0
    while True:
        params = there_and_back[sequence % len(there_and_back)]
        caller.send_frame(Frame(sequence, int(caller.clock.now_ms()), params))
        sequence += 1
        await asyncio.sleep(0.08)


async def speak(caller: CallSender) -> None:
    """Send a tone for as long as the test lasts."""
    for packet in packets(1000):
        caller.send_voice(packet)
        await asyncio.sleep(PACKET_MS / 1000)


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
async def test_the_page_shows_the_picture_moving(demo_clip: Path, tmp_path: Path) -> None:
    assert BROWSER is not None
    drive = track(demo_clip, 60)
    generator = Generator(Engine.load(), FaceModel.load())
    async with (
        serving(own_reference=False, generator=generator, face_model=drive.face_model) as (_, url),
        chromium.browser(BROWSER, tmp_path / "profile", url) as page,
    ):
        await page.until(f"{STATE} === 'Waiting for a caller'")
        caller = await CallSender.connect(url, timeout=30, face_model=drive.face_model)
        await caller.send_reference(drive.photograph, "image/jpeg")
        await caller.send_calibration(drive.origin)
        talking = asyncio.create_task(talk(caller, drive))

        await page.until(f"{STATE} === 'In a call'")
        first = await page.until(PIXELS)
        assert (first["width"], first["height"]) == (256, 288)
        assert max(first["green"]) > 60
        await page.until(MOVED)
        for figure in ("fps", "payload", "wire", "latency"):
            await page.until(f"Number(document.getElementById('{figure}').textContent) > 0")
        assert await page.evaluate("document.getElementById('loss').textContent") == "0.0"
        assert await page.until("document.getElementById('reference').naturalWidth") == 256
        await keep_screenshots(page)

        talking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await talking
        await caller.close("done")
        await page.until(f"{STATE}.startsWith('The call has ended')")


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
async def test_the_page_says_when_the_caller_is_cut_off(tmp_path: Path) -> None:
    assert BROWSER is not None
    weather = Weather(seed=1)
    with weather.over_links():
        async with (
            serving() as (_, url),
            chromium.browser(BROWSER, tmp_path / "profile", url) as page,
        ):
            caller = await CallSender.connect(url, timeout=30, face_model=FACE_MODEL)
            await caller.send_calibration(params())
            face = Drive(b"", params(), [frame(n).params for n in range(60)], FACE_MODEL)
            talking = asyncio.create_task(talk(caller, face))
            await page.until(f"{STATE} === 'In a call'")
            await page.until(PIXELS)
            weather.is_cut = True
            await page.until(f"{STATE} === 'Reconnecting…'")
            await keep_screenshots(page, "cut")
            assert await page.evaluate("document.getElementById('empty').hidden")
            weather.is_cut = False
            await page.until(f"{STATE} === 'In a call'")
            await page.until(MOVED)
            talking.cancel()
            await caller.close("done")


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
async def test_the_page_plays_sound_after_a_click(tmp_path: Path) -> None:
    assert BROWSER is not None
    button = "document.getElementById('sound')"
    async with (
        serving() as (_, url),
        chromium.browser(BROWSER, tmp_path / "profile", url) as page,
    ):
        caller = await CallSender.connect(url, timeout=30, face_model=FACE_MODEL, sound=True)
        await caller.send_calibration(params())
        face = Drive(b"", params(), [frame(n).params for n in range(60)], FACE_MODEL)
        talking = asyncio.create_task(talk(caller, face))
        await page.until(f"{STATE} === 'In a call'")
        assert await page.evaluate(f"{button}.hidden")
        speaking = asyncio.create_task(speak(caller))
        await page.until(f"!{button}.hidden")
        assert await page.evaluate("document.getElementById('picture').muted")
        await page.evaluate(f"{button}.click()")
        assert not await page.evaluate("document.getElementById('picture').muted")
        assert await page.evaluate(f"{button}.textContent") == "Turn the sound off"
        await page.until(HEARD)
        await keep_screenshots(page, "sound")
        for task in (talking, speaking):
            task.cancel()
        await caller.close("done")
        await page.until(f"{button}.hidden")


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
@pytest.mark.parametrize("role", Role)
async def test_the_page_watches_with_its_link_and_says_when_it_is_no_good(
    role: Role, tmp_path: Path
) -> None:
    assert BROWSER is not None
    tokens = Tokens()
    async with serving(tokens=tokens) as (station, url):
        link = f"{url}/#token={tokens.issue(role, 600)}"
        async with chromium.browser(BROWSER, tmp_path / "profile", link) as page:
            if role is Role.WATCH:
                await page.until(f"{STATE} === 'Waiting for a caller'")
                assert await page.until("document.getElementById('reference').naturalWidth") == 256
                assert len(station.watchers) == 1
            else:
                await page.until(f"{STATE} === 'This link does not let you watch'")
                reason = "document.getElementById('empty').textContent.includes('to watch with')"
                await page.until(reason)
                assert len(station.watchers) == 0


async def keep_screenshots(page: chromium.Page, what: str = "page") -> None:
    """Keep pictures of the page for people to look at, where they ask for them."""
    if folder := os.environ.get("HEADCALL_SCREENSHOTS"):
        for name, width, height, scheme in [
            ("desk", 1280, 800, "light"),
            ("dark", 1280, 800, "dark"),
            ("phone", 390, 844, "light"),
        ]:
            await page.show_as(width, height, scheme)
            path = Path(folder) / f"{what}-{name}.png"
            await asyncio.to_thread(path.write_bytes, await page.screenshot())
