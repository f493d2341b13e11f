"""Where pictures come from: a camera through OpenCV or a file through PyAV."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt

from shared.errors import BadInputError

log = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]

DEFAULT_FPS = 25.0
# Half a millisecond: time stamps of containers are rounded to milliseconds.
TIME_SLACK_S = 0.0005


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a source.

    Attributes:
        image: RGB, shape (H, W, 3).
        at_s: when it is due, seconds from the source's first picture; a camera's is now.
    """

    image: Image
    at_s: float


class Source(Protocol):
    """Gives pictures one after the other, at most as many a second as it was told.

    Attributes:
        name: what messages call it.
        is_live: whether pictures come when they are taken, and not whenever they are read.
    """

    name: str
    is_live: bool

    def read(self) -> Picture | None:
        """Return the next picture, or None at the end."""

    def close(self) -> None:
        """Free the camera or the file."""


def open_source(text: str, max_fps: float, loop: bool) -> Source:
    """Open a camera by its number or a file by its path.

    Args:
        text: ``0``, ``1``… or a path.
        max_fps: most pictures a second.
        loop: start a file again at its end.

    Raises:
        BadInputError: no such camera, or the file is missing or holds no video.
    """
    if text.isdecimal():
        return CameraSource(int(text), max_fps)
    return ClipSource(Path(text), max_fps, loop)


class CameraSource:
    """A camera of this machine."""

    is_live = True

    def __init__(self, index: int, max_fps: float) -> None:
        self.name = f"camera {index}"
        # OpenCV's own warnings about a missing camera explain less than ours.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._camera = cv2.VideoCapture(index)
        if not self._camera.isOpened():
            self._camera.release()
            raise BadInputError(
                f"there is no camera {index}, or another program uses it; try another number, "
                "or give a video file: --source clip.mp4"
            )
        self._picker = _Picker(max_fps)
        self._start = cv2.getTickCount()

    def read(self) -> Picture | None:
        """Wait for the next picture; None when the camera was unplugged."""
        while True:
            taken, image = self._camera.read()
            if not taken:
                return None
            at_s = (cv2.getTickCount() - self._start) / cv2.getTickFrequency()
            if self._picker.takes(at_s):
                return Picture(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), at_s)

    def close(self) -> None:
        """Release the camera."""
        self._camera.release()


class ClipSource:
    """A video file."""

    is_live = False

    def __init__(self, path: Path, max_fps: float, loop: bool) -> None:
        self.name = str(path)
        self._loop = loop
        self._max_fps = max_fps
        self._container = _open_container(path)
        self._stream = self._container.streams.video[0]
        # One thread is fast enough. Each of several that take frames in turn would keep the tables
        # of the most frames it ever held, and a file that is played for hours grows with them.
        self._stream.thread_type = "SLICE"
        self._pictures = self._play()

    def read(self) -> Picture | None:
        """Return the next picture; None at the end."""
        return next(self._pictures, None)

    def close(self) -> None:
        """Close the file."""
        self._pictures.close()
        self._container.close()

    def _play(self) -> Generator[Picture, None, None]:
        start_s, rate = 0.0, float(self._stream.average_rate or DEFAULT_FPS)
        while True:
            end_s = None
            picker = _Picker(self._max_fps)
            for at_s, frame in self._frames(rate):
                end_s = at_s + 1 / rate
                if picker.takes(at_s):
                    yield Picture(_upright(frame), start_s + at_s)
            if not self._loop or end_s is None:
                return
            start_s += end_s
            self._container.seek(0)

    def _frames(self, rate: float) -> Iterator[tuple[float, av.VideoFrame]]:
        first_s: float | None = None
        count = 0
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                log.warning("%s: a damaged part is left out (%s)", self.name, error)
                continue
            for frame in frames:
                time_s = frame.time if frame.time is not None else count / rate
                first_s = time_s if first_s is None else first_s
                yield time_s - first_s, frame
                count += 1


class _Picker:
    """Thins pictures out to a rate by leaving some out, without drifting from their times."""

    def __init__(self, max_fps: float) -> None:
        self._gap_s = 1 / max_fps
        self._due_s = 0.0

    def takes(self, at_s: float) -> bool:
        """Return whether the picture taken at this time is one to keep."""
        if at_s < self._due_s - TIME_SLACK_S:
            return False
        # Due times keep their grid (30 to 25 a second leaves out every sixth) unless the
        # source fell behind it.
        self._due_s = max(self._due_s + self._gap_s, at_s + TIME_SLACK_S)
        return True


def _open_container(path: Path) -> av.container.InputContainer:
    if not path.is_file():
        raise BadInputError(
            f"there is no file {path}; give a video file or the number of a camera: --source 0"
        )
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(f"{path} cannot be read as a video ({reason})") from error
    if not container.streams.video:
        container.close()
        raise BadInputError(f"{path} holds no video; give a file with a picture track")
    return container


def _upright(frame: av.VideoFrame) -> Image:
    """Return a frame as RGB, turned as its file says (phones film sideways)."""
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else np.asarray(image, np.uint8)
