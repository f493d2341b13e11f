"""Our own codec on a clip: what a real call costs, and the pictures it shows.

The rate is that of a call between two processes. The picture of frame n is rebuilt from the
parameters which the wire's coder gives back for frame n, as a receiver does that keeps up: the call
itself, on a machine that rebuilds, sends and counts at once, shows fewer pictures than it gets.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.call import run_call
from benchmarks.material import Material
from benchmarks.rate import received
from benchmarks.video import cut
from receiver.generator import Generator
from receiver.stillness import Stillness
from sender.photograph import encode_photograph
from shared.crop import PICTURE_SIZE
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel, adapt
from shared.latency import Latency
from shared.mesh_warp import mesh_warp
from shared.pictures import PEER_MAX_PIXELS, Image, decode_picture

# A cut at exactly a frame's time must have that frame in it.
_EARLIER_S = 0.002


@dataclass(frozen=True, slots=True)
class CallRates:
    """What a real call cost.

    Attributes:
        payload_kbps: frame packets as handed to the data channel.
        wire_kbps: every byte in both directions from the first frame on, acknowledgements,
            checks and signs of life included.
        reference_bytes: what sending the photograph put on the network, both directions.
        photograph_bytes: the photograph's file.
        sent_fps: frames the sender sent a second; below the clip's, the machine was too busy.
    """

    payload_kbps: float
    wire_kbps: float
    reference_bytes: int
    photograph_bytes: int
    sent_fps: float


def call(material: Material, latency: Latency, seconds: float) -> CallRates:
    """Play the clip's measured part again and again through a call on loopback.

    Raises:
        ChildFailedError: sender or receiver failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        part = folder / "part.mp4"
        cut(material.clip, max(0.0, material.start_s - _EARLIER_S), part, material.seconds)
        sender = run_call(part, folder, seconds, latency=latency, loop=True).sender
    return CallRates(
        payload_kbps=sender.payload_kbps,
        wire_kbps=sender.wire_kbps,
        reference_bytes=sender.reference_wire_bytes,
        photograph_bytes=sender.reference_bytes,
        sent_fps=sender.sender_fps,
    )


class Rebuilder:
    """Rebuilds one clip's frames from its photograph."""

    def __init__(self, material: Material, generator: Generator, model: FaceModel) -> None:
        """Send the photograph, as the caller's file holds it."""
        self._material, self._generator, self._model = material, generator, model
        sent = encode_photograph(material.pictures[0])
        self._photograph = decode_picture(sent, PEER_MAX_PIXELS)
        self._reference = generator.set_reference(self._photograph)

    def rebuild(self, latency: Latency) -> list[Image]:
        """Return what is shown for every frame of the clip.

        A frame that is not sent (a still face, or none) shows the picture before it.
        """
        material, generator = self._material, self._generator
        generator.set_reference(self._photograph)  # forgets the frames of the setting before
        got, shown = received(material.frames, latency), [self._reference]
        stillness = Stillness()
        for number in range(len(material.pictures)):
            picture = shown[-1]
            if number in got:
                frame = got[number]
                params = adapt(frame.params, material.origin, generator.reference_params)
                picture = stillness.apply(generator.generate(params, frame.detail))
            shown.append(picture)
        return shown[1:]

    def copies(self) -> list[Image]:
        """Return the reference for every frame: no codec at all."""
        return [self._reference] * len(self._material.pictures)

    def warps(self) -> list[Image]:
        """Return the reference moved by the mesh alone for every frame: no network."""
        material, renderer = self._material, FaceRenderer(self._model, PICTURE_SIZE)
        home = renderer.pose(material.identity, material.origin)
        got, shown = received(material.frames, Latency.LOW), [self._reference]
        for number in range(len(material.pictures)):
            picture = shown[-1]
            if number in got:
                pose = renderer.pose(material.identity, got[number].params)
                picture = mesh_warp(self._reference, renderer.draw(pose, home).displacement)
            shown.append(picture)
        return shown[1:]
