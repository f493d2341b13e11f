"""Where the call's sound comes from: the clip's own, or the default microphone.

The microphone is read through PortAudio (`sounddevice`, which MediaPipe brings along): PyAV's
packages have no input device that all of Linux, macOS and Windows share.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import av
import av.error
import numpy as np
from av import AudioFrame, AudioResampler

from sender.sources import DEFAULT_FPS
from shared.errors import BadInputError
from shared.voice import PACKET_MS, PACKET_SAMPLES, RATE, OpusPacket, Samples, VoiceEncoder

log = logging.getLogger(__name__)

SAMPLES_A_MS = RATE // 1000
# Sound this much behind its time is passed over: the call began in the middle of the clip.
LATE_MS = 500.0
# A smaller gap or overlap is a container's rounding of time stamps.
SLACK_SAMPLES = RATE // 100
POLL_S = 0.01

Send = Callable[[OpusPacket], None]


class Sound(Protocol):
    """Gives packets of sound in real time, from a thread of its own."""

    def start(self, now_ms: Callable[[], float], start_ms: Callable[[], float | None]) -> None:
        """Begin.

        Args:
            now_ms: the call clock.
            start_ms: when the source's first picture was due on it; None while that is not known.
        """

    def stop(self) -> None:
        """End, and wait until nothing more is sent."""


def open_sound(source: str, loop: bool, send: Send) -> Sound:
    """Open the sound that belongs to a source of pictures.

    Args:
        source: the number of a camera, or a path.
        loop: start a file again at its end.
        send: takes the packets, on the sound's own thread; their time stamps are on the call
            clock, in samples.

    Raises:
        BadInputError: there is no microphone, or the file has no sound.
    """
    return Microphone(send) if source.isdecimal() else ClipSound(Path(source), loop, send)


class ClipSound:
    """The sound of a video file."""

    def __init__(self, path: Path, loop: bool, send: Send) -> None:
        self._path, self._loop, self._send = path, loop, send
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
        try:
            with av.open(str(path)) as container:
                if not container.streams.audio:
                    raise BadInputError(f"{path} has no sound; leave out --sound")
                self._begin_s, self._length_s = _picture_times(container)
        except av.error.FFmpegError as error:
            raise BadInputError(f"{path} cannot be read ({error.strerror})") from error

    def start(self, now_ms: Callable[[], float], start_ms: Callable[[], float | None]) -> None:
        """Begin; see `Sound`."""
        self._now_ms, self._start_ms = now_ms, start_ms
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while (start_ms := self._start_ms()) is None:
            if self._stopping.wait(POLL_S):
                return
        encoder = VoiceEncoder()
        try:
            for at, samples in _pieces(self._play()):
                due_ms = start_ms + at / SAMPLES_A_MS + PACKET_MS
                wait_s = (due_ms - self._now_ms()) / 1000
                if wait_s < -LATE_MS / 1000:
                    continue
                if self._stopping.wait(max(0.0, wait_s)):
                    return
                packet = encoder.encode(samples, at + round(start_ms * SAMPLES_A_MS))
                if packet is not None:
                    self._send(packet)
        except Exception:
            log.exception("the sound of %s stopped", self._path)

    def _play(self) -> Iterator[tuple[int, Samples]]:
        """Yield the file's sound and where it belongs, samples from the first picture."""
        begin_s = -self._begin_s
        while not self._stopping.is_set():
            empty = True
            for part in _decoded(self._path, begin_s):
                empty = False
                yield part
            begin_s += self._length_s
            if not self._loop or empty:
                return


class Microphone:
    """The default microphone."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._encoder = VoiceEncoder()
        self._at: int | None = None
        try:
            # Imported here: where PortAudio is missing, it fails, and only sound needs it.
            import sounddevice

            self._stream: Any = sounddevice.InputStream(
                RATE, PACKET_SAMPLES, channels=1, dtype="int16", callback=self._take
            )
        # PortAudioError is no OSError, and cannot be named where the import fails.
        except Exception as error:
            raise BadInputError(
                f"there is no microphone to be used ({error}); leave out --sound, or on Linux "
                "install libportaudio2"
            ) from error

    def start(self, now_ms: Callable[[], float], start_ms: Callable[[], float | None]) -> None:
        """Begin; see `Sound`."""
        self._now_ms = now_ms
        self._stream.start()

    def stop(self) -> None:
        """Let go of the microphone."""
        self._stream.close()

    def _take(self, recorded: Samples, count: int, time: Any, status: Any) -> None:
        latency_ms = 1000 * self._stream.latency
        began = round((self._now_ms() - latency_ms) * SAMPLES_A_MS) - count
        # Counted in samples, which come evenly, unless some were lost.
        if self._at is None or abs(began - self._at) > PACKET_SAMPLES:
            self._at = began
        packet = self._encoder.encode(recorded[:, 0], self._at)
        self._at += count
        if packet is not None:
            self._send(packet)


def _picture_times(container: av.container.InputContainer) -> tuple[float, float]:
    """Return when a clip's first picture is due, and how long its pictures last, seconds."""
    video = container.streams.video[0]
    times = [
        float(packet.pts * packet.time_base)
        for packet in container.demux(video)
        if packet.pts is not None and packet.time_base is not None
    ]
    if not times:
        return 0.0, 0.0
    return min(times), max(times) - min(times) + 1 / float(video.average_rate or DEFAULT_FPS)


def _decoded(path: Path, begin_s: float) -> Iterator[tuple[int, Samples]]:
    resampler = AudioResampler("s16", "mono", RATE)
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.audio[0]):
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                log.warning("%s: a damaged part of the sound is left out (%s)", path, error)
                continue
            for frame in frames:
                assert isinstance(frame, AudioFrame)
                at = round((begin_s + (frame.time or 0.0)) * RATE)
                frame.pts = None  # the resampler shall keep no account of gaps: we do
                for part in resampler.resample(frame):
                    yield at, np.asarray(part.to_ndarray()[0], np.int16)
                    at += part.samples


def _pieces(parts: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """Yield the same sound without gaps or overlaps, cut into PACKET_SAMPLES."""
    held, at = np.zeros(0, np.int16), 0
    for begin, samples in parts:
        missing = begin - at - len(held)
        if missing > SLACK_SAMPLES:
            held = np.concatenate([held, np.zeros(missing, np.int16)])
        elif missing < -SLACK_SAMPLES:
            samples = samples[-missing:]
        held = np.concatenate([held, samples])
        while len(held) >= PACKET_SAMPLES:
            yield at, held[:PACKET_SAMPLES]
            held, at = held[PACKET_SAMPLES:], at + PACKET_SAMPLES
