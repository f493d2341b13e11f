"""Videos read and written with PyAV, as RGB pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.frame import PictureType
from av.video.stream import VideoStream

from shared.errors import BadInputError
from shared.pictures import Image

_CRF = "18"


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


def cut(source: Path, start_s: float, target: Path, seconds: float | None = None) -> None:
    """Write a video from a moment on, coded without loss; sound is left out.

    Args:
        source: the video; a short one, since what is lossless is large.
        start_s: seconds from its beginning.
        target: the rest of it, ``.mp4``.
        seconds: how much of it; all by default.

    Raises:
        BadInputError: the source cannot be read, or holds no video at that moment.
    """
    try:
        with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
            decoded = reader.streams.video[0]
            coded = writer.add_stream(
                "libx264", rate=decoded.average_rate, options={"qp": "0", "preset": "ultrafast"}
            )
            assert isinstance(coded, VideoStream)
            assert decoded.time_base is not None
            coded.width, coded.height = decoded.width, decoded.height
            taken = {known.name for known in coded.codec_context.codec.video_formats or ()}
            coded.pix_fmt = decoded.pix_fmt if decoded.pix_fmt in taken else "yuv444p"
            coded.time_base = coded.codec_context.time_base = decoded.time_base
            coded.codec_context.colorspace = decoded.codec_context.colorspace
            coded.codec_context.color_range = decoded.codec_context.color_range
            first_s: float | None = None
            for frame in reader.decode(decoded):
                if frame.time is None:
                    continue
                first_s = frame.time if first_s is None else first_s
                at_s = frame.time - first_s  # a file's own clock need not begin at 0
                if at_s < start_s:
                    continue
                if seconds is not None and at_s >= start_s + seconds:
                    break
                frame.pict_type = PictureType.NONE
                writer.mux(coded.encode(frame))
            writer.mux(coded.encode(None))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise BadInputError(f"{source} cannot be read as a video: {error}") from error


def write_lossless(path: Path, pictures: list[Image], rate: Fraction) -> None:
    """Write pictures of one size to a ``.mkv`` from which each comes back bit by bit."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("ffv1", rate=rate, options={"level": "3"})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        writer.mux(stream.encode(None))


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
