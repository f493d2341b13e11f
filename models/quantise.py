"""The generator for CPUs that multiply bytes: 8-bit convolutions.

    python -m models.quantise --preset lite

reads the preset's networks in `models/weights`, measures the ranges of their values on the sample
of real frames, and writes `PRESET-int8-generator.onnx` beside them, unless its pictures differ from
the original's by more than an engine's may. Norms, flow and the last layer are left as they are.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import onnx
import typer
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from models.engine.check import LEAST_DB, agreement
from models.engine.interface import Floats
from models.engine.on_onnxruntime import CpuEngine
from models.engine.sample import Sample, read_sample
from models.engine.weights import Weights, find_weights, int8_path
from models.graph import strip
from shared.command import run_command

log = logging.getLogger(__name__)

# By the name of the weights: the blocks' convolutions and those before pixel shuffles.
QUANTISED = ("norms.", "convs.", "widen.")
# At the finest scale 8 bits cost the most and win the least: with these too, people who are not the
# sample come near to what an engine may differ.
FINEST = "render.blocks.2.convs."
# These read the geometry itself: a head that moves further than the sample's would be cut off.
KEPT = ("flow.coarse.", "flow.middle.")


class TooFewBitsError(RuntimeError):
    """The 8-bit generator makes other pictures than the exported one."""


class _Frames(CalibrationDataReader):  # type: ignore[misc]  # it has no types
    """Feeds the sample's frames to the calibration."""

    def __init__(self, engine: CpuEngine, sample: Sample) -> None:
        self._inputs = self._read(engine, sample)

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._inputs, None)

    @staticmethod
    def _read(engine: CpuEngine, sample: Sample) -> Iterator[dict[str, Floats]]:
        reference = engine.encode(sample.layers, sample.face)
        fixed: dict[str, Any] = {
            "reference": sample.layers,
            **reference.features,
            **engine.silence,
        }
        for faces, displacement in zip(sample.faces, sample.displacements, strict=True):
            yield {"faces": faces[None], "displacement": displacement[None], **fixed}


def quantise(weights: Weights, folder: Path, sample: Sample) -> float:
    """Write the 8-bit generator into a folder; returns how well it agrees, dB.

    Raises:
        TooFewBitsError: it agrees too little; nothing was written.
    """
    nodes = [
        node.name
        for node in onnx.load(weights.generator).graph.node
        if node.op_type == "Conv" and is_quantised(node.input[1])
    ]
    trusted = CpuEngine(weights.encoder, weights.generator)
    with tempfile.TemporaryDirectory() as made:
        path = int8_path(weights.preset, Path(made))
        quantize_static(
            weights.generator,
            path,
            _Frames(trusted, sample),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_quantize=nodes,
        )
        found = agreement(CpuEngine(weights.encoder, path), trusted, sample)
        if found < LEAST_DB:
            raise TooFewBitsError(f"8 bits are too few: {found:.1f} dB, {LEAST_DB:.0f} are needed")
        model = onnx.load(path)
        strip(model)
        onnx.helper.set_model_props(model, {"source": weights.digest})
        onnx.save(model, int8_path(weights.preset, folder))
    return found


def is_quantised(weight: str) -> bool:
    """Return whether the convolution with the weights of this name takes 8 bits."""
    reads_geometry = ".shared." in weight and any(part in weight for part in KEPT)
    kept = reads_geometry or FINEST in weight
    return any(part in weight for part in QUANTISED) and not kept


def main(
    preset: Annotated[str, typer.Option(help="Whose networks.")] = "lite",
    folder: Annotated[Path, typer.Option(help="Where they are.")] = Path("models/weights"),
) -> None:
    """Make the 8-bit generator."""
    weights = find_weights(preset, folder)
    found = quantise(weights, folder, read_sample())
    log.info("the 8-bit generator agrees with the exported one to %.1f dB", found)


if __name__ == "__main__":
    # The quantiser tells of every tensor at INFO.
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    log.setLevel(logging.INFO)
    run_command(main)
