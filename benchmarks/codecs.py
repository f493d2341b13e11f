"""Video codecs as calls use them: one I-frame, no B-frames, nothing looked ahead, one thread.

Each is swept by a constant quantiser, from the coarsest there is (its floor: fewer bits it cannot
send at this size and frame rate) to finer ones. That leaves out what a rate control would do to
clips of a few seconds, and is what most codecs do best. Every option is ffmpeg's own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from shared.errors import BadInputError, HeadCallError
from shared.pictures import Image

_H26X = tuple(range(51, 14, -3))
_TO_63 = (63, 60, *range(56, 7, -4))
_COMMON = {"g": "9999", "bf": "0", "threads": "1"}
_ZERO = {"tune": "zerolatency", "sc_threshold": "0"}
_VPX = {"deadline": "realtime", "lag-in-frames": "0", "b": "1M", "qmin": "{q}", "qmax": "{q}"}


class CodecError(HeadCallError):
    """A codec that is there did not do what it was asked to."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One encoder with its settings.

    Attributes:
        name: what results call it.
        family: a name for several, as the command takes it.
        encoder: ffmpeg's name of the encoder.
        decoders: ffmpeg's names of decoders, the first that is there is used.
        options: ffmpeg's options; `{q}` stands for the quantiser.
        ladder: quantisers, the coarsest first.
        pixels: ffmpeg's name of the pixel format.
    """

    name: str
    family: str
    encoder: str
    decoders: tuple[str, ...]
    options: dict[str, str]
    ladder: tuple[int, ...]
    pixels: str = "yuv420p"

    @property
    def is_there(self) -> bool:
        """Whether this PyAV has the encoder."""
        return self.encoder in av.codecs_available

    def options_at(self, quantiser: int) -> dict[str, str]:
        """Return the options for a quantiser."""
        given = {**_COMMON, **self.options}
        return {name: value.format(q=quantiser) for name, value in given.items()}

    def command(self, quantiser: int, source: str = "CLIP.mkv") -> str:
        """Return the command by which ffmpeg does the same to a file of 256x256 frames."""
        options = " ".join(f"-{name} {value}" for name, value in self.options_at(quantiser).items())
        scaler = "-sws_flags bicubic"
        return (
            f"ffmpeg -i {source} {scaler} -pix_fmt {self.pixels} -c:v {self.encoder} "
            f"{options} out.mkv"
        )


CODECS = (
    Codec("x264-veryfast", "x264", "libx264", ("h264",),
          {"preset": "veryfast", **_ZERO, "qp": "{q}"}, _H26X),
    Codec("x264-veryslow", "x264", "libx264", ("h264",),
          {"preset": "veryslow", **_ZERO, "qp": "{q}"}, _H26X),
    Codec("x265", "x265", "libx265", ("hevc",),
          {"preset": "medium", "tune": "zerolatency", "x265-params":
           "qp={q}:bframes=0:keyint=-1:scenecut=0:rc-lookahead=0:pools=none:frame-threads=1"
           ":info=0:log-level=none"}, _H26X),
    Codec("vp8", "vp8", "libvpx", ("vp8",), {"cpu-used": "-6", **_VPX}, _TO_63),
    Codec("vp9", "vp9", "libvpx-vp9", ("vp9",), {"cpu-used": "7", **_VPX}, _TO_63),
    Codec("svt-av1", "av1", "libsvtav1", ("libdav1d", "av1"),
          {"preset": "8", "svtav1-params":
           "rc=0:aq-mode=0:qp={q}:pred-struct=1:rtc=1:lookahead=0:scd=0:lp=1"}, _TO_63),
    Codec("libaom-av1", "av1", "libaom-av1", ("libdav1d", "av1"),
          {"usage": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "1M",
           "qmin": "{q}", "qmax": "{q}"}, _TO_63),
)  # fmt: skip


@dataclass(slots=True)
class Coded:
    """A clip, coded and decoded.

    Attributes:
        sizes: bytes of each frame.
        keys: which frames are I-frames.
        held: most frames the encoder held back before it gave one; 0 in a call.
        pictures: the decoded frames, RGB.
    """

    sizes: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    held: int = 0
    pictures: list[Image] = field(default_factory=list)


def chosen(names: Iterable[str], known: dict[str, set[str]]) -> list[str]:
    """Return the names of what was asked for, in the order of `known`.

    Args:
        names: names or families, as given on the command line.
        known: what there is: each name with the names it answers to beside its own.

    Raises:
        BadInputError: nothing is called so.
    """
    wanted = {name.strip() for name in names if name.strip()}
    answers = {name: {name, *others} for name, others in known.items()}
    for name in sorted(wanted):
        if not any(name in found for found in answers.values()):
            raise BadInputError(
                f"there is no codec {name!r}: use one or more, with commas between, of "
                f"{', '.join(dict.fromkeys([*answers, *sorted(set().union(*answers.values()))]))}"
            )
    if not wanted:
        raise BadInputError(f"no codec is named: use one or more of {', '.join(answers)}")
    return [name for name, found in answers.items() if found & wanted]


def code(codec: Codec, quantiser: int, pictures: list[Image], fps: Fraction) -> Coded:
    """Code pictures and decode them again.

    Args:
        codec: one that is there.
        quantiser: how coarse.
        pictures: RGB, all of one size, sides even.
        fps: frames a second.

    Raises:
        CodecError: the encoder refused its settings, or did not give a packet for every frame.
    """
    os.environ.setdefault("SVT_LOG", "1")  # errors only: SVT-AV1 writes past all loggers
    coded = Coded()
    try:
        with _priority_kept():
            packets, coded.held = _encode(codec, quantiser, pictures, fps)
        coded.sizes = [packet.size for packet in packets]
        coded.keys = [n for n, packet in enumerate(packets) if packet.is_keyframe]
        coded.pictures = _decode(codec, packets)
    except (av.FFmpegError, ValueError) as error:
        raise CodecError(f"{codec.name} at {quantiser} failed: {error}") from error
    if len(coded.sizes) != len(pictures) or len(coded.pictures) != len(pictures):
        raise CodecError(
            f"{codec.name} at {quantiser} made {len(coded.sizes)} packets and "
            f"{len(coded.pictures)} pictures of {len(pictures)} frames"
        )
    return coded


@contextlib.contextmanager
def _priority_kept() -> Iterator[None]:
    """Undo what an encoder does to the priority of the thread that it runs on.

    Root's SVT-AV1 makes it a real-time one (SCHED_FIFO, 99), for good. All that the thread starts
    later would inherit that: processes that compute then keep every other off their cores.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _encode(
    codec: Codec, quantiser: int, pictures: list[Image], fps: Fraction
) -> tuple[list[av.Packet[av.VideoStream]], int]:
    """Return the packets, and how many frames at most were held back."""
    encoder = _encoder(codec, quantiser, pictures[0], fps)
    packets: list[av.Packet[av.VideoStream]] = []
    held = 0
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format=codec.pixels, interpolation="BICUBIC")
        frame.pts, frame.time_base = number, 1 / fps
        packets += encoder.encode(frame)
        held = max(held, number + 1 - len(packets))
    return packets + encoder.encode(None), held


def _encoder(codec: Codec, quantiser: int, picture: Image, fps: Fraction) -> av.VideoCodecContext:
    encoder = av.CodecContext.create(codec.encoder, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt = codec.pixels
    encoder.framerate, encoder.time_base = fps, 1 / fps
    encoder.options = codec.options_at(quantiser)
    return encoder


def _decode(codec: Codec, packets: list[av.Packet[av.VideoStream]]) -> list[Image]:
    name = next(name for name in codec.decoders if name in av.codecs_available)
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    rgb = [frame.reformat(format="rgb24", interpolation="BICUBIC") for frame in frames]
    return [np.asarray(frame.to_ndarray(), np.uint8) for frame in rgb]
