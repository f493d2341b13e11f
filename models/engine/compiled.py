"""Loading an engine of either TensorRT: from the store if it fits, else built; checked once."""

from __future__ import annotations

import logging
from dataclasses import replace

from models.engine.builder import Builder, Flavour, Progress
from models.engine.check import CHECKED_FRAMES, LEAST_DB, agreement
from models.engine.cuda import CudaError, Device
from models.engine.interface import Engine, EngineUnavailableError
from models.engine.on_onnxruntime import load_cpu
from models.engine.runner import TensorRtEngine
from models.engine.sample import read_sample
from models.engine.store import Built, Recipe, Store
from models.engine.weights import Weights

log = logging.getLogger(__name__)


def load_compiled(
    flavour: Flavour,
    weights: Weights,
    batch: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Engine:
    """Return a checked engine for the GPU here.

    Raises:
        EngineUnavailableError: library, driver or GPU are missing, the build fails, or its
            pictures are wrong.
    """
    builder, device, store = Builder(flavour), Device(), store or Store()
    recipe, built = find_built(builder, store, weights, device, batch)
    if built is None:
        capability = [device.capability] if device.capability in builder.capabilities() else []
        if flavour.portable and not capability:
            raise EngineUnavailableError(f"it does not support the {device.name}")
        built = builder.build(weights, capability, batch, progress)
        store.save(recipe, built)
    try:
        engine = TensorRtEngine(builder, device, built, batch)
        found = built.agreement_db
        if found is None:
            found = agreement_with_cpu(engine, weights)
            # A bad one is kept too, so that it is not built and judged again at every start.
            store.save(recipe, replace(built, agreement_db=found))
    except CudaError as error:
        store.drop(recipe)
        raise EngineUnavailableError(f"it fails on the GPU ({error})") from error
    if found < LEAST_DB:
        raise EngineUnavailableError(
            f"its pictures differ from ONNX Runtime's: {found:.1f} dB, {LEAST_DB:.0f} are needed"
        )
    return engine


def find_built(
    builder: Builder, store: Store, weights: Weights, device: Device, batch: int
) -> tuple[Recipe, Built | None]:
    """Return the recipe of an engine for a GPU, and the engine where one was built for it.

    One of `models.compile` for all GPUs counts until it was checked on this one.
    """
    here = builder.recipe(weights, f"{device.name} {device.capability}", batch)
    built = store.load(here)
    if built is None and device.capability in builder.capabilities():
        anywhere = builder.recipe(weights, " ".join(builder.capabilities()), batch)
        built = store.load(anywhere)
        if built is not None:
            store.save(here, built)
    return here, built


def agreement_with_cpu(engine: Engine, weights: Weights) -> float:
    """Return how well an engine agrees with ONNX Runtime in FP32 on real frames, dB."""
    trusted = load_cpu(weights, quantised=False)
    found = agreement(engine, trusted, read_sample(frames=CHECKED_FRAMES))
    log.info("%s agrees with ONNX Runtime to %.1f dB", engine.name, found)
    return found
