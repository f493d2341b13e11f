"""What an engine is: it keeps a reference's features and makes pictures of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.layers import LAYER_CHANNELS

Floats = npt.NDArray[np.float32]

ENCODER_INPUTS = ["reference", "face"]
GENERATOR_INPUTS = ["faces", "displacement", "reference"]  # then the encoder's outputs
AUDIO_INPUT = "audio"  # the last, of presets that hear
LAYERS = (1, LAYER_CHANNELS, 256, 256)
FACE = (1, 3, 256, 256)
FACES = (1, 9, 256, 256)
DISPLACEMENT = (1, 2, 256, 256)
IMAGE = (1, 3, 256, 256)

_RING = 4  # pairs of arrays handed out in turn: what `Engine.inputs` promises


class EngineUnavailableError(Exception):
    """An engine cannot run here; the message is the reason, half a sentence for a person."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says: libraries write pages."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A reference picture and its features, computed once a call.

    Attributes:
        layers: of the picture, (1, 7, 256, 256), float32, in [-1, 1].
        features: the encoder's outputs by the names the generator takes them under; arrays, or
            what the engine that made them keeps on its device.
    """

    layers: Floats
    features: dict[str, Any]


def input_ring(make: Callable[[tuple[int, ...]], Floats]) -> Iterator[tuple[Floats, Floats]]:
    """Return pairs of arrays for face images and displacement, in turn and without end.

    Args:
        make: returns an array of a shape; it is called before the first pair is taken.
    """
    return cycle([(make(FACES), make(DISPLACEMENT)) for _ in range(_RING)])


class Engine(ABC):
    """The exported reference encoder and generator of one preset.

    ``lanes`` threads may encode and generate at the same time, and no more.
    """

    #: Why it was chosen and not a faster one, one sentence for each that was passed over.
    passed_over: tuple[str, ...] = ()
    #: How many pictures may be made at the same time, each on a thread of its own.
    lanes: int = 1
    #: How many callers share a launch; 1 where `generate_batch` runs them one after the other.
    batch: int = 1

    @classmethod
    def load(
        cls, preset: str = "lite", engine: str = "auto", folder: Path | None = None, batch: int = 1
    ) -> Engine:
        """Return an engine of a preset; see `models.engine.choice.choose`."""
        from models.engine.choice import choose

        return choose(preset, engine, folder, batch)

    @property
    @abstractmethod
    def name(self) -> str:
        """What runs the networks, for people to read."""

    @abstractmethod
    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use.

        Args:
            layers: the picture, the person and the backdrop (`shared.layers`),
                (1, 7, 256, 256), in [-1, 1].
            face: its face image, (1, 3, 256, 256), in [0, 1].
        """

    @abstractmethod
    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1]; the array is the caller's.

        Args:
            reference: what `encode` of this engine returned.
            faces: driving face images, current first and two past, (1, 9, 256, 256).
            displacement: mesh displacement, (1, 2, 256, 256), picture sides.
            audio: features of the frame's sound, (300,), for a preset that hears; others leave
                it. None is silence.
        """

    def generate_batch(
        self,
        references: Sequence[Reference],
        faces: Floats,
        displacements: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the pictures of several callers, (N, 3, 256, 256), in [-1, 1].

        Here one after the other; a `BatchEngine` shares a launch between them.

        Args:
            references: one a caller.
            faces: (N, 9, 256, 256).
            displacements: (N, 2, 256, 256).
            audio: (N, 300), or None.
        """
        sounds = [None] * len(references) if audio is None else audio
        rows = zip(references, faces, displacements, sounds, strict=True)
        return np.concatenate(
            [self.generate(one, face[None], to[None], heard) for one, face, to, heard in rows]
        )

    def inputs(self) -> tuple[Floats, Floats]:
        """Return arrays for a frame's face images and displacement, contents undefined.

        What is drawn into them reaches the device without a further copy by the processor. They
        are handed out again after three further frames.
        """
        return next(self._ring)

    @cached_property
    def _ring(self) -> Iterator[tuple[Floats, Floats]]:
        # Once and for all: megabytes that one thread takes for each frame and others give back
        # leave holes in the C library's heaps, and the process grows.
        return input_ring(lambda shape: np.empty(shape, np.float32))


class BatchEngine(Engine):
    """An engine in which several callers share a launch; one caller is a launch of one."""

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1]."""
        return self.generate_batch([reference], faces, displacement, audio)

    @abstractmethod
    def generate_batch(
        self,
        references: Sequence[Reference],
        faces: Floats,
        displacements: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the pictures of several callers; see `Engine.generate_batch`."""
