"""The sound of a call's video file: the caller's Opus packets as they came, at their times."""

from __future__ import annotations

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

from shared.voice import PACKET_MS, RATE, TIME_BASE, OpusPacket

SAMPLES_A_MS = RATE // 1000
# Stamps are exact and the moment they count from is an estimate: it is taken anew only when it is
# farther off than this, as after a cut or when the caller's clock has drifted.
TOLERANCE_MS = PACKET_MS
LONGEST_GAP_MS = 12 * 3600 * 1000  # MP4 holds 31 bits of samples between two packets


class FileSound:
    """The sound of one file; to be made before anything is written to that."""

    def __init__(self, container: OutputContainer) -> None:
        """Add the sound's stream.

        Args:
            container: the file.
        """
        stream = container.add_stream("libopus", rate=RATE)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = "mono"
        stream.codec_context.format = "s16"
        self._container = container
        self._stream = stream
        self._begin: int | None = None  # of the file, on the line that stamps count on
        self._end = 0  # of the sound so far, samples from the file's beginning

    def write(self, packet: OpusPacket, at_ms: float) -> None:
        """Write a packet; what lies before the file's beginning or another packet is left out.

        Args:
            packet: as a sink hears it.
            at_ms: where its sound begins in the file.
        """
        assert packet.pts is not None
        begin = packet.pts - round(at_ms * SAMPLES_A_MS)
        if self._begin is None or abs(begin - self._begin) > TOLERANCE_MS * SAMPLES_A_MS:
            self._begin = begin
        at = packet.pts - self._begin
        if not self._end <= at < self._end + LONGEST_GAP_MS * SAMPLES_A_MS:
            return
        self._end = at + PACKET_MS * SAMPLES_A_MS
        # A copy: the page's watchers are sent the same packet.
        written = av.Packet(bytes(packet))
        written.stream, written.time_base = self._stream, TIME_BASE
        written.pts = written.dts = at
        written.duration = PACKET_MS * SAMPLES_A_MS
        self._container.mux(written)
