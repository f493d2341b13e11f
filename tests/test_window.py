"""The window on a virtual display."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from receiver.window import Window
from shared.errors import BadInputError

XVFB = shutil.which("Xvfb")

# In a process of its own: the window system may end the process it is used in.
SHOW = """
import asyncio
import cv2
import numpy as np
from receiver.picture import Picture, with_mark
from receiver.window import TITLE, Window

async def main():
    window = Window()
    running = asyncio.create_task(window.run())
    for grey in range(0, 250, 10):
        window.show(Picture(0, 0, None, with_mark(np.full((256, 256, 3), grey, np.uint8))))
        await asyncio.sleep(0.02)
    width, height = cv2.getWindowImageRect(TITLE)[2:]
    assert (width, height) == (512, 576), (width, height)
    cv2.destroyWindow(TITLE)
    await asyncio.wait_for(running, 10)

asyncio.run(main())
"""


@pytest.fixture
def display() -> Iterator[str]:
    if XVFB is None:
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    command = [XVFB, "-displayfd", str(writing), "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def test_the_window_shows_pictures_and_closing_it_ends(display: str) -> None:
    environment = {**os.environ, "DISPLAY": display, "QT_LOGGING_RULES": "*=false"}
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_display_is_found_where_there_is_one(
    display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    Window.check()


def test_no_display_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(BadInputError, match=r"--window needs a display.*browser"):
        Window.check()
