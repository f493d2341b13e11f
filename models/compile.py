"""Builds the GPU engine of a preset, checks it, and keeps it where calls find it.

    python -m models.compile --preset lite --engine tensorrt-rtx

Where there is a GPU the engine is built for it and compared with ONNX Runtime on real frames.
TensorRT for RTX also builds without one, for every card it knows; that engine is checked by the
first call on a GPU. `--out` writes it to another folder than the cache.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from models.engine.builder import TENSORRT, TENSORRT_RTX, Builder, Flavour, Progress
from models.engine.compiled import load_compiled
from models.engine.cuda import Device
from models.engine.interface import EngineUnavailableError
from models.engine.store import Store
from models.engine.weights import find_weights
from shared.command import run_command
from shared.errors import BadInputError

FLAVOURS = {flavour.engine: flavour for flavour in (TENSORRT, TENSORRT_RTX)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was built.

    Attributes:
        sentence: for a person.
        checked: whether its pictures were compared with ONNX Runtime's.
    """

    sentence: str
    checked: bool


def compile_engine(
    flavour: Flavour, preset: str, store: Store, batch: int, progress: Progress
) -> Outcome:
    """Build, check and keep the engine of a preset.

    Raises:
        BadInputError: it cannot be built here.
    """
    weights = find_weights(preset)
    try:
        builder = Builder(flavour)
        try:
            Device()
        except EngineUnavailableError as error:
            if not flavour.portable:
                raise
            return _build_unchecked(builder, preset, store, batch, progress, str(error))
        engine = load_compiled(flavour, weights, batch, store, progress)
    except EngineUnavailableError as error:
        raise BadInputError(f"the engine {flavour.engine} cannot be built: {error}") from error
    return Outcome(f"{engine.name} is built and agrees with ONNX Runtime.", checked=True)


def _build_unchecked(
    builder: Builder, preset: str, store: Store, batch: int, progress: Progress, why: str
) -> Outcome:
    weights, capabilities = find_weights(preset), builder.capabilities()
    recipe = builder.recipe(weights, " ".join(capabilities), batch)
    built = store.load(recipe)
    if built is None:
        built = builder.build(weights, capabilities, batch, progress)
        store.save(recipe, built)
    size = (len(built.encoder) + len(built.generator)) / 1e6
    return Outcome(
        f"Built for {', '.join(capabilities)} ({size:.1f} MB). It is unchecked, because {why}; the "
        "first call on a GPU compares it with ONNX Runtime.",
        checked=False,
    )


def main(
    preset: Annotated[str, typer.Option(help="Whose networks.")] = "lite",
    engine: Annotated[str, typer.Option(help=" or ".join(FLAVOURS))] = "tensorrt-rtx",
    batch: Annotated[int, typer.Option(help="Callers that share a launch.", min=1, max=64)] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder; default: the cache.")] = None,
) -> None:
    """Build the GPU engine of a preset."""
    if engine not in FLAVOURS:
        raise BadInputError(f"{engine!r} is not compiled: use one of {', '.join(FLAVOURS)}")
    console, store, start = Console(), Store(out), perf_counter()
    with console.status("starting") as status:
        outcome = compile_engine(
            FLAVOURS[engine], preset, store, batch, lambda text: status.update(text)
        )
    console.print(f"{outcome.sentence} {perf_counter() - start:.0f} s, in {store.folder}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    run_command(main)
