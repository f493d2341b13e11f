"""Videos read and written with PyAV, as RGB pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from shared.errors import BadInputError
from shared.pictures import Image

_CRF = "18"
_REORDERING_S = 2.0  # how far apart frames may be coded and shown


def read_frames(path: Path) -> Iterator[Image]:
    """Yield a video's frames in the order they are shown, RGB.

    Raises:
        BadInputError: the file cannot be read or holds no video.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInputError(f"{path} holds no video")
            for frame in container.decode(container.streams.video[0]):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"{path} cannot be read as a video: {error}") from error


def frame_rate(path: Path) -> Fraction:
    """Return a video's frames a second.

    Raises:
        BadInputError: the file cannot be read or holds no video.
    """
    try:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate if container.streams.video else None
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"{path} cannot be read as a video: {error}") from error
    if not rate:
        raise BadInputError(f"{path} holds no video with a frame rate")
    return rate


def shorten(source: Path, seconds: float, target: Path) -> None:
    """Copy a video's beginning without coding it anew; sound is left out.

    Args:
        source: the video.
        seconds: how much of it to keep; a shorter video is kept whole.
        target: the copy, of the same container format.

    Raises:
        BadInputError: the source cannot be read or holds no video.
    """
    try:
        with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
            if not reader.streams.video:
                raise BadInputError(f"{source} holds no video")
            stream = reader.streams.video[0]
            copy = writer.add_stream_from_template(stream)
            for packet in _beginning(reader.demux(stream), seconds):
                packet.stream = copy
                writer.mux(packet)
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"{source} cannot be read as a video: {error}") from error


def _beginning(packets: Iterable[Packet[VideoStream]], seconds: float) -> list[Packet[VideoStream]]:
    """Return the longest beginning, in coding order, whose frames are shown without a gap."""
    taken: list[Packet[VideoStream]] = []
    times: list[float] = []
    for packet in packets:
        if packet.pts is None or packet.time_base is None:
            continue
        taken.append(packet)
        times.append(float(packet.pts * packet.time_base))
        if times[-1] - times[0] > seconds + _REORDERING_S:
            break
    end, earliest_later = len(taken), math.inf
    while end > 0 and max(times[:end]) >= min(earliest_later, times[0] + seconds):
        end -= 1
        earliest_later = min(earliest_later, times[end])
    return taken[:end]


class Mp4Writer:
    """Writes pictures as H.264 in yuv420p, which every player shows; a context manager."""

    def __init__(self, path: Path, rate: Fraction, width: int, height: int) -> None:
        """Start the file.

        Args:
            path: ends in ``.mp4``; an older file is replaced.
            rate: frames a second.
            width: pixels, even.
            height: pixels, even.
        """
        self._container = av.open(str(path), "w", options={"movflags": "+faststart"})
        options = {"preset": "fast", "crf": _CRF}
        stream = self._container.add_stream("libx264", rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        self._stream = stream

    def write(self, picture: Image) -> None:
        """Append a picture."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
