"""Choosing an engine: the best that really works on this machine, and why no better one."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

from models.engine.interface import Engine, EngineUnavailableError
from models.engine.weights import Weights, find_weights
from shared.errors import BadInputError

log = logging.getLogger(__name__)

# Modules are imported when their turn comes: they import large libraries.
_MODULES = {
    "tensorrt": "models.engine.on_tensorrt",
    "tensorrt-rtx": "models.engine.on_tensorrt_rtx",
    "openvino": "models.engine.on_openvino",
    "onnxruntime": "models.engine.on_onnxruntime",
    "torch": "models.engine.on_torch",
}
ENGINES = ("auto", *_MODULES)
# Best first, with what loads them. ONNX Runtime comes twice: it is good on a GPU, and the last
# resort on a CPU. PyTorch is for those who train; a call never imports it unasked.
_AUTOMATIC = (
    ("tensorrt", "load"),
    ("tensorrt-rtx", "load"),
    ("onnxruntime", "load_cuda"),
    ("openvino", "load"),
    ("onnxruntime", "load"),
)


def choose(
    preset: str = "lite", engine: str = "auto", folder: Path | None = None, batch: int = 1
) -> Engine:
    """Return an engine of a preset, from the shipped weights by default.

    Args:
        preset: whose weights.
        engine: one of `ENGINES`.
        folder: where the weights are.
        batch: callers that share a launch, for engines that can.

    Raises:
        BadInputError: no such engine, it does not work here, or no (whole) weights of that preset.
    """
    if engine not in ENGINES:
        raise BadInputError(f"there is no engine {engine!r}: use one of {', '.join(ENGINES)}")
    weights = find_weights(preset, folder)
    if engine != "auto":
        try:
            return _load(engine, weights, batch)
        except EngineUnavailableError as error:
            raise BadInputError(f"the engine {engine} cannot be used: {error}") from error
    passed_over: list[str] = []
    for name, loader in _AUTOMATIC:
        try:
            chosen = _load(name, weights, batch, loader)
        except EngineUnavailableError as error:
            passed_over.append(f"{name}: {error}")
            continue
        chosen.passed_over = tuple(passed_over)
        log.info("%s", explain(chosen))
        return chosen
    raise BadInputError("no engine works here: " + "; ".join(passed_over))


def explain(engine: Engine) -> str:
    """Return in one sentence what was chosen and why nothing faster."""
    why = "; ".join(engine.passed_over)
    return f"The generator runs on {engine.name}" + (f" ({why})." if why else ".")


def _load(name: str, weights: Weights, batch: int, loader: str = "load") -> Engine:
    loaded: Engine = getattr(importlib.import_module(_MODULES[name]), loader)(weights, batch)
    return loaded
