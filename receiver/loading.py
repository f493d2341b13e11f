"""What paints the pictures: a generator for each room, and what runs them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from receiver.portrait import FaceGenerator

# The most rows that a launch of the generator has. Where every launch has all its rows, as in
# TensorRT, a larger one costs a few callers more than it saves many.
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Loaded:
    """What paints.

    Attributes:
        generators: one a room.
        face_model: fingerprint of the face model they draw.
        engine: what runs them, for display.
        close: ends what runs them.
    """

    generators: Sequence[FaceGenerator]
    face_model: str
    engine: str
    close: Callable[[], None] = lambda: None


def load_generators(preset: str, engine: str, calls: int) -> Loaded:
    """Return generators of a preset, all running on one engine."""
    # Imported here: it takes seconds, and a mistake in the options should show at once.
    from models.engine import Engine
    from models.engine.shared_engine import SharedEngine
    from receiver.generator import Generator
    from shared.face_model import FaceModel

    model = FaceModel.load()
    loaded = Engine.load(preset=preset, engine=engine, batch=min(calls, _BATCH))
    if calls == 1:  # its painter has the engine to itself
        return Loaded([Generator(loaded, model)], model.fingerprint, loaded.name)
    shared = SharedEngine(loaded)
    generators = [Generator(shared.client(), model) for _ in range(calls)]
    return Loaded(generators, model.fingerprint, loaded.name, shared.close)
