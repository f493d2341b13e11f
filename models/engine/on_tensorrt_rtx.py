"""TensorRT for RTX: GeForce and RTX cards. It builds for all of them, on any machine."""

from __future__ import annotations

from models.engine.builder import TENSORRT_RTX
from models.engine.compiled import load_compiled
from models.engine.interface import Engine
from models.engine.weights import Weights


def load(weights: Weights, batch: int = 1) -> Engine:
    """Return the engine for the GPU here, built first where it was not yet.

    Raises:
        EngineUnavailableError: it cannot run here.
    """
    return load_compiled(TENSORRT_RTX, weights, batch)
