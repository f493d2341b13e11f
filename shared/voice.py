"""The caller's voice as Opus: what the call's sound is made of, and what it costs.

aiortc's own encoder makes 50 packets a second of 96 kbps stereo. Of a packet's cost 50 bytes are
headers, so a thin link wants few of them: mono, 12 kbps, 60 ms a packet, with what a decoder needs
to mend a lost one (in-band FEC), and none at all while nobody speaks.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

import av
import av.error
import numpy as np
import numpy.typing as npt
from av import AudioFrame, AudioResampler
from av.audio.codeccontext import AudioCodecContext

Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]
OpusPacket: TypeAlias = "av.Packet[av.AudioStream]"

RATE = 48_000  # of Opus' time stamps (RFC 7587), whatever it encodes
PACKET_MS = 60
PACKET_SAMPLES = RATE * PACKET_MS // 1000
BIT_RATE = 12_000
EXPECTED_LOSS = "10"  # percent: how much of the bit rate goes into mending
LOOKAHEAD_MS = 6.5  # libopus hears this much more before a packet is whole
TIME_BASE = Fraction(1, RATE)
HEARD_RATE = 16_000  # what becomes of it here: a voice has little above 8 kHz
PCM_SCALE = np.float32(1 / 32768)

# -55 dB of full scale: below it a microphone hears its room. libopus has a detector of its own
# (DTX), but FFmpeg's wrapper does not offer it.
QUIET = 10 ** (-55 / 20)
# Packets that are still sent after the last that was loud: words end softly.
HANG = 5


class VoiceEncoder:
    """Turns sound into Opus packets of PACKET_MS each."""

    def __init__(self) -> None:
        self._codec = _codec("w")
        self._codec.bit_rate = BIT_RATE
        self._codec.time_base = TIME_BASE
        self._codec.options = {
            "application": "voip",
            "frame_duration": str(PACKET_MS),
            "fec": "1",
            "packet_loss": EXPECTED_LOSS,
        }
        self._quiet = 0  # the first packets are sent, so that the other side knows of the sound

    def encode(self, samples: Samples, at: int) -> OpusPacket | None:
        """Return the packet that holds a piece of sound; None in a silence.

        Args:
            samples: mono at RATE, shape (PACKET_SAMPLES,).
            at: where it begins, in samples; may not fall.
        """
        level = np.sqrt(np.square(samples * PCM_SCALE).mean())
        self._quiet = 0 if level > QUIET else self._quiet + 1
        frame = AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, TIME_BASE, at
        # Encoded even in a silence, so that the encoder's state goes on.
        packets = self._codec.encode(frame)
        return packets[0] if packets and self._quiet <= HANG else None


class VoiceDecoder:
    """Turns Opus packets into sound at HEARD_RATE."""

    def __init__(self) -> None:
        self._codec = _codec("r")
        self._resampler = AudioResampler("s16", "mono", HEARD_RATE)

    def decode(self, payload: bytes) -> Floats:
        """Return the sound of a packet, mono in [-1, 1]; empty where it holds none.

        Args:
            payload: what a peer sent; at most 120 ms come out of a packet (RFC 6716).

        Raises:
            ValueError: it is no Opus.
        """
        try:
            frames = self._codec.decode(av.Packet(payload))
            parts = [_pcm(part) for frame in frames for part in self._resampler.resample(frame)]
        except av.error.FFmpegError as error:
            raise ValueError(f"a packet of sound is no Opus: {error.strerror}") from error
        return np.concatenate([np.zeros(0, np.float32), *parts])


def _codec(mode: Literal["r", "w"]) -> AudioCodecContext:
    codec = av.CodecContext.create("libopus", mode)
    codec.format, codec.layout, codec.sample_rate = "s16", "mono", RATE
    return codec


def _pcm(frame: AudioFrame) -> Floats:
    return np.asarray(frame.to_ndarray()[0] * PCM_SCALE, np.float32)
