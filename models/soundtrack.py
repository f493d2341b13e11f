"""The sound of a clip as the network hears it: features for any moment of it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import av
import av.error
import numpy as np
import numpy.typing as npt
from av import AudioFrame, AudioResampler

from shared.sound_features import FEATURES, SPAN, sound_features
from shared.voice import HEARD_RATE, PCM_SCALE, Floats

LEVELS = np.float32(255)  # features are kept in 8 bits: a third of a decibel

Kept = npt.NDArray[np.uint8]


class Soundtrack:
    """All sound of one clip; a clip without any is silent."""

    def __init__(self, samples: Floats, begin_s: float) -> None:
        """Hold sound.

        Args:
            samples: mono at HEARD_RATE, in [-1, 1].
            begin_s: when it begins, seconds.
        """
        self._samples = samples
        self._begin_s = begin_s

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a clip's sound; what is damaged in it, or missing, is silent."""
        resampler = AudioResampler("s16", "mono", HEARD_RATE)
        parts: list[Floats] = []
        begin_s = 0.0
        with av.open(str(path)) as container:
            streams = container.streams.audio
            for packet in container.demux(streams[0]) if streams else ():
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    continue
                for frame in frames:
                    assert isinstance(frame, AudioFrame)
                    if not parts:
                        begin_s = frame.time or 0.0
                    frame.pts = None  # a stream that begins late keeps its place by begin_s alone
                    parts += [_pcm(part) for part in resampler.resample(frame)]
        return cls(np.concatenate([np.zeros(0, np.float32), *parts]), begin_s)

    def features(self, at_s: float) -> Floats:
        """Return what is heard at a moment, (FEATURES,), in [0, 1]."""
        end = round((at_s - self._begin_s) * HEARD_RATE)
        heard = np.zeros(SPAN, np.float32)
        low, high = max(end - SPAN, 0), min(end, len(self._samples))
        if low < high:
            heard[low - end + SPAN : high - end + SPAN] = self._samples[low:high]
        return sound_features(heard)


def keep(features: Floats) -> Kept:
    """Return features in 8 bits."""
    return np.asarray(np.rint(features * LEVELS), np.uint8)


def kept_silence(count: int) -> Kept:
    """Return the features of so many silent pictures, (count, FEATURES)."""
    return np.zeros((count, FEATURES), np.uint8)


def _pcm(frame: AudioFrame) -> Floats:
    return np.asarray(frame.to_ndarray()[0] * PCM_SCALE, np.float32)
