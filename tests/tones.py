"""Sound for tests: tones, as numbers and as Opus packets."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from shared.voice import PACKET_SAMPLES, RATE, OpusPacket, Samples, VoiceEncoder


def tone(count: int, hertz: float = 400.0, level: float = 0.3, start: int = 0) -> Samples:
    """Return a tone at RATE that goes on where one of `start` samples ended."""
    angles = 2 * np.pi * hertz * (start + np.arange(count)) / RATE
    return np.asarray(np.sin(angles) * level * 32767, np.int16)


def packets(count: int, hertz: float = 400.0, level: float = 0.3) -> list[OpusPacket]:
    """Return consecutive packets of a tone."""
    encoder = VoiceEncoder()
    made = []
    for number in range(count):
        at = number * PACKET_SAMPLES
        packet = encoder.encode(tone(PACKET_SAMPLES, hertz, level, at), at)
        assert packet is not None
        made.append(packet)
    return made


def onset_s(path: Path) -> float:
    """Return when a file's sound, silent at first, becomes loud, seconds from its beginning."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray().astype(np.float64)).max(axis=0) > 0.05)
            if len(loud):
                assert frame.time is not None
                return float(frame.time + loud[0] / frame.sample_rate)
    raise AssertionError(f"{path} is silent")


def write_sounding_clip(path: Path, seconds: float, sound: Samples, at_s: float = 0.0) -> Path:
    """Write a video of `seconds` at 25 fps with sound that begins at `at_s`, losslessly (.mkv)."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=RATE)
        audio.layout = "mono"
        for begin in range(0, len(sound), 960):
            frame = av.AudioFrame.from_ndarray(sound[None, begin : begin + 960], "s16", "mono")
            frame.sample_rate, frame.pts = RATE, begin + round(at_s * RATE)
            container.mux(audio.encode(frame))
        for _ in range(round(25 * seconds)):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        for stream in (audio, video):
            container.mux(stream.encode(None))
    return path
