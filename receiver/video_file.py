"""The call written to a video file with PyAV, each picture and each sound at its capture time.

Encoding takes milliseconds that the next picture needs, so it runs on a thread of its own, one
picture behind: nothing queues up, and no picture is left out.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from receiver.file_sound import FileSound
from receiver.outputs import check_output, numbered
from receiver.picture import Picture
from shared.pictures import Image
from shared.voice import OpusPacket

log = logging.getLogger(__name__)

_MILLISECONDS = Fraction(1, 1000)
_LONGEST_GAP_MS = 24 * 3600 * 1000
_HEARD = 256  # packets that wait for the next picture, at most: 15 s of sound
# Pictures are not kept back for longer than this while nobody speaks.
_INTERLEAVE = {"max_interleave_delta": "1000000"}


@dataclass(frozen=True, slots=True)
class _Format:
    codec: str
    pixels: str
    options: dict[str, str]


# mkv: lossless, so that pictures can be measured; mp4: what every player shows.
_FORMATS = {
    ".mkv": _Format("ffv1", "bgr0", {"level": "3"}),
    ".mp4": _Format(
        "libx264", "yuv420p", {"preset": "veryfast", "crf": "18", "tune": "zerolatency"}
    ),
}


class VideoFile:
    """Writes one file for each call; a file is created with the call's first picture.

    Creating it late means that a call without a picture leaves an older file of the same name
    alone.
    """

    def __init__(self, path: Path) -> None:
        """Prepare to write.

        Args:
            path: ends in ``.mkv`` or ``.mp4``; later calls get ``-2``, ``-3``… in the name.

        Raises:
            BadInputError: unknown ending or a place that cannot be written.
        """
        check_output(path, _FORMATS, "--out")
        self._path = path
        self._calls = 0
        self._open: _OpenFile | None = None
        self._worker = ThreadPoolExecutor(1, "video file")
        self._writing: Future[None] | None = None
        self._sounds = False
        self._heard: deque[tuple[OpusPacket, float]] = deque(maxlen=_HEARD)

    def expect_sound(self) -> None:
        """The next file has sound."""
        self._sounds = True

    def hear(self, packet: OpusPacket, spoken_ms: float) -> None:
        """Keep a packet of sound; it is written with the next picture."""
        self._heard.append((packet, spoken_ms))

    def show(self, picture: Picture) -> None:
        """Append a picture; an error in writing the one before is raised here."""
        self._settle()
        self._writing = self._worker.submit(self._write, picture)

    def end_call(self) -> None:
        """Finish the call's file, so that players can open it."""
        try:
            self._settle()
            if self._open is not None:
                self._write_sound(self._open)
        finally:
            opened, self._open, self._sounds = self._open, None, False
            self._heard.clear()
            if opened is not None:
                opened.close()
                log.info("wrote %s", opened.path)

    def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, picture: Picture) -> None:
        if self._open is None:
            self._calls += 1
            path = numbered(self._path, self._calls)
            self._open = _OpenFile(path, picture, sounds=self._sounds)
        self._write_sound(self._open)
        self._open.write(picture)

    def _write_sound(self, opened: _OpenFile) -> None:
        while self._heard:
            opened.hear(*self._heard.popleft())


class _OpenFile:
    def __init__(self, path: Path, first: Picture, *, sounds: bool) -> None:
        chosen = _FORMATS[path.suffix.lower()]
        self.path = path
        self._first_ms = first.captured_ms
        self._last_pts = -1
        self._container: OutputContainer = av.open(str(path), "w", container_options=_INTERLEAVE)
        stream = self._container.add_stream(chosen.codec, rate=25, options=chosen.options)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.height, self._stream.width = first.image.shape[:2]
        self._stream.pix_fmt = chosen.pixels
        self._stream.codec_context.time_base = _MILLISECONDS
        self._stream.time_base = _MILLISECONDS
        self._sound = FileSound(self._container) if sounds else None

    def hear(self, packet: OpusPacket, spoken_ms: float) -> None:
        if self._sound is not None:
            self._sound.write(packet, spoken_ms - self._first_ms)

    def write(self, picture: Picture) -> None:
        pts = self._pts(picture.captured_ms)
        self._container.mux(self._stream.encode(_video_frame(picture.image, pts)))
        self._last_pts = pts

    def _pts(self, captured_ms: int) -> int:
        # A peer may repeat a capture time, or leap by more than MP4 can hold; a file may not.
        if captured_ms - self._first_ms > self._last_pts + _LONGEST_GAP_MS:
            self._first_ms = captured_ms - self._last_pts - 1
        return max(captured_ms - self._first_ms, self._last_pts + 1)

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def _video_frame(image: Image, pts: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame.pts = pts
    frame.time_base = _MILLISECONDS
    return frame
