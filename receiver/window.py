"""The picture in a window of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import cv2

from receiver.picture import Picture
from shared.errors import BadInputError

TITLE = "HeadCall"
_REFRESH_S = 1 / 60
_ZOOM = 2
_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"
_PROBE_TIMEOUT_S = 20


class Window:
    """Shows the newest picture with OpenCV.

    The painting thread only leaves the picture here; ``run`` draws it on the main thread, the
    only one that macOS lets draw.
    """

    def __init__(self) -> None:
        self._newest: Picture | None = None

    @staticmethod
    def check() -> None:
        """Make sure that a window can be opened.

        In a process of its own, because without a display the window system ends the process
        instead of raising.

        Raises:
            BadInputError: there is no display here.
        """
        command = [sys.executable, "-c", _PROBE]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_PROBE_TIMEOUT_S)
            works = done.returncode == 0
        except subprocess.TimeoutExpired:
            works = False
        if not works:
            raise BadInputError(
                "--window needs a display and none can be opened here; "
                "leave the option out and watch in a browser"
            )

    def show(self, picture: Picture) -> None:
        """Leave a picture to be drawn; an older one not yet drawn is dropped."""
        self._newest = picture

    def end_call(self) -> None:
        """Keep the last picture on the screen."""

    async def run(self) -> None:
        """Draw until the window is closed or Escape is pressed; then return."""
        cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE)
        try:
            while self._is_open():
                picture, self._newest = self._newest, None
                if picture is not None:
                    large = cv2.resize(picture.image, None, fx=_ZOOM, fy=_ZOOM)
                    cv2.imshow(TITLE, cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
                await asyncio.sleep(_REFRESH_S)
        finally:
            cv2.destroyAllWindows()

    @staticmethod
    def _is_open() -> bool:
        escape = 27
        if cv2.pollKey() == escape:
            return False
        try:
            return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # how Qt says that there is no window left
            return False
