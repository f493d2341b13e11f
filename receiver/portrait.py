"""The photograph in use and the generator that moves it."""

from __future__ import annotations

import hashlib
from typing import Protocol

import cv2

from shared.detail import Detail
from shared.face_model import adapt
from shared.params import Floats, Params
from shared.pictures import Image

Geometry = tuple[Floats, Floats]

_JPEG_QUALITY = 92


class FaceGenerator(Protocol):
    """What the running call needs of ``receiver.generator.Generator``."""

    @property
    def lanes(self) -> int:
        """How many threads may paint at the same time."""

    @property
    def reference_params(self) -> Params:
        """Parameters of the reference."""

    @property
    def flaws(self) -> list[str]:
        """What keeps the photograph from being a good one, in words."""

    def set_reference(self, image: Image) -> Image:
        """Take a photograph and return its crop; BadInputError when it shows no face."""

    def render(self, params: Params, detail: Detail) -> Geometry:
        """Draw the geometry of the next frame."""

    def paint(self, faces: Floats, displacement: Floats, heard: Floats | None) -> Image:
        """Rebuild a frame; `heard` is what `shared.sound_features` made of its sound."""


class Portrait:
    """One photograph, ready to be moved.

    Not for two threads at once, except ``jpeg`` and ``tag``, which any thread may read, and
    ``paint``, which ``lanes`` threads may call: a call uses it on its painter's threads alone.
    """

    def __init__(self, generator: FaceGenerator) -> None:
        self._generator = generator
        self._photograph: Image | None = None
        self._painted = False
        self.jpeg: bytes | None = None
        self.tag = ""

    @property
    def lanes(self) -> int:
        """How many threads may paint at the same time."""
        return self._generator.lanes

    @property
    def ready(self) -> bool:
        """Whether there is a photograph."""
        return self.jpeg is not None

    def take(self, photograph: Image) -> None:
        """Use this photograph from now on.

        Raises:
            BadInputError: it shows no face; there is then no photograph.
        """
        self.forget()
        crop = self._generator.set_reference(photograph)
        bgr = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        self._photograph = photograph
        self.jpeg = encoded.tobytes()
        self.tag = hashlib.sha256(self.jpeg).hexdigest()[:16]

    def forget(self) -> None:
        """Drop the photograph: the next caller brings their own."""
        self._photograph, self.jpeg, self.tag = None, None, ""
        self._painted = False

    def restart(self) -> None:
        """Forget the frames of an earlier call, keep the photograph."""
        if self._photograph is not None and self._painted:
            self._generator.set_reference(self._photograph)
            self._painted = False

    def draw(self, params: Params, origin: Params, detail: Detail) -> Geometry:
        """Draw a frame's geometry in the relative setting (HeadGAN, section 3.4).

        Args:
            params: the parameters of the next frame.
            origin: the parameters the sender was calibrated on.
            detail: what that frame's picture shows beside them.

        Raises:
            ParamsError: the two fit together to no face a camera can see.
        """
        self._painted = True
        generator = self._generator
        moved = adapt(params, origin, generator.reference_params)
        # Each was in range alone; a hostile pair may still name a face a thousand crops away.
        return generator.render(Params.from_vector(moved.to_vector()), detail)

    def paint(self, drawn: Geometry, heard: Floats | None = None) -> Image:
        """Rebuild a frame, RGB uint8 (256, 256, 3).

        Args:
            drawn: what `draw` returned.
            heard: features of the frame's sound; None where there is none.
        """
        return self._generator.paint(*drawn, heard)
