"""Exporting a trained generator to ONNX: reference encoder and generator.

    python -m models.export build/lite/checkpoint.safetensors --preset lite

(or several checkpoints of one run, for the mean of their weights)
checks both against PyTorch on random input, and makes the 8-bit generator of them
(`models.quantise`). Opset 18; the inputs are fixed-size (batch 1, 256x256) and named as in
`models.engine`. The files say nothing of the machine that wrote them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import torch
import typer
from torch import Tensor, nn

from models.checkpoint import load_checkpoint
from models.engine import (
    AUDIO_INPUT,
    DISPLACEMENT,
    ENCODER_INPUTS,
    FACE,
    FACES,
    GENERATOR_INPUTS,
    LAYERS,
)
from models.engine.on_onnxruntime import load_cpu
from models.engine.sample import read_sample
from models.engine.weights import find_weights
from models.graph import strip
from models.headgan import HeadGan, ReferenceFeatures
from models.presets import preset as preset_of
from models.quantise import TooFewBitsError, quantise
from shared.command import run_command

OPSET = 18
PARITY = 1e-3  # largest difference from PyTorch, in [-1, 1]: an eighth of a grey level

log = logging.getLogger(__name__)


class ExportedEncoder(nn.Module):
    """The reference encoder, returning only the features that the generator takes."""

    def __init__(self, network: HeadGan) -> None:
        super().__init__()
        self.network = network

    def forward(self, reference: Tensor, face: Tensor) -> tuple[Tensor, ...]:
        """Return the cached features."""
        features = self.network.encode(reference, face)
        return tuple(getattr(features, name) for name in cached(self.network))


class ExportedGenerator(nn.Module):
    """The generator behind cached features."""

    def __init__(self, network: HeadGan) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, faces: Tensor, displacement: Tensor, reference: Tensor, *rest: Tensor
    ) -> Tensor:
        """Return the picture; the rest is features, and audio last where the preset hears."""
        audio = rest[-1] if self.network.preset.audio else None
        features = rest[: len(cached(self.network))]
        by_name = dict(zip(cached(self.network), features, strict=True))
        nothing = reference.new_zeros(1)  # what a preset does not look at
        kept = ReferenceFeatures(*(by_name.get(n, nothing) for n in ReferenceFeatures._fields))
        image: Tensor = self.network(faces, displacement, reference, kept, audio).image
        return image


def cached(network: HeadGan) -> tuple[str, ...]:
    """Return which of the reference's features the generator uses."""
    if network.preset.compose:
        # The finest scale is taken from the warped reference.
        return ("middle", "coarse", "mouth", "iris", "photo")
    return ("fine", "middle", "coarse")


def sample_inputs(seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return seeded inputs of the right shapes and ranges: encoder's, then generator's."""
    random = torch.Generator().manual_seed(seed)
    reference = torch.rand(LAYERS, generator=random) * 2 - 1
    face = torch.rand(FACE, generator=random)
    faces = torch.rand(FACES, generator=random)
    displacement = torch.randn(DISPLACEMENT, generator=random) * 0.02
    return (
        {"reference": reference, "face": face},
        {"faces": faces, "displacement": displacement, "reference": reference},
    )


def sample_audio(network: HeadGan, seed: int) -> dict[str, Tensor]:
    """Return seeded audio features, (1, audio), for a preset that hears; nothing for others."""
    random = torch.Generator().manual_seed(seed)
    length = network.preset.audio
    return {AUDIO_INPUT: torch.rand(1, length, generator=random)} if length else {}


def export(network: HeadGan, folder: Path) -> None:
    """Write `PRESET-encoder.onnx` and `PRESET-generator.onnx` into a folder, and check them."""
    network = network.eval().cpu().float()
    encoder_inputs, generator_inputs = sample_inputs(0)
    audio = sample_audio(network, 0)
    names = list(cached(network))
    encoder = ExportedEncoder(network)
    with torch.no_grad():
        features = encoder(*encoder_inputs.values())
    for part, module, inputs, input_names, outputs in (
        ("encoder", encoder, tuple(encoder_inputs.values()), ENCODER_INPUTS, names),
        ("generator", ExportedGenerator(network),
         (*generator_inputs.values(), *features, *audio.values()),
         GENERATOR_INPUTS + names + list(audio), ["image"]),
    ):  # fmt: skip
        path = folder / f"{network.preset.name}-{part}.onnx"
        torch.onnx.export(
            module.eval(),
            inputs,
            str(path),
            input_names=input_names,
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
        )
        model = onnx.load(path)
        strip(model)
        onnx.save(model, path)


def difference(network: HeadGan, folder: Path, seed: int = 1) -> float:
    """Return the largest difference between the exported files and PyTorch on seeded input."""
    encoder_inputs, generator_inputs = sample_inputs(seed)
    with torch.no_grad():
        features = network.encode(*encoder_inputs.values())
        audio = sample_audio(network, seed)
        theirs = network(**generator_inputs, features=features, **audio).image.numpy()
    engine = load_cpu(find_weights(network.preset.name, folder), quantised=False)
    reference = engine.encode(*(value.numpy() for value in encoder_inputs.values()))
    ours = engine.generate(
        reference,
        generator_inputs["faces"].numpy(),
        generator_inputs["displacement"].numpy(),
        *(value.numpy() for value in audio.values()),
    )
    return float(np.abs(ours - theirs).max())


def load_mean(checkpoints: Sequence[Path], network: HeadGan) -> int:
    """Read the mean of checkpoints' averaged weights into a network; returns the last one's step.

    Weights of a run's later stages lie close to one another, and their mean generalises better
    than the last (Izmailov et al., "Averaging Weights Leads to Wider Optima").

    Raises:
        BadInputError: one of them is missing, damaged or of another preset.
    """
    steps, sums = [], {name: torch.zeros_like(v) for name, v in network.state_dict().items()}
    for checkpoint in checkpoints:
        steps.append(load_checkpoint(checkpoint, network.preset.name, {"ema": network}))
        for name, value in network.state_dict().items():
            sums[name] += value / len(checkpoints)
    network.load_state_dict(sums)
    return max(steps)


def main(
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Checkpoints of models.train; of several the mean.")
    ],
    preset: Annotated[str, typer.Option(help="Preset it was trained with.")] = "lite",
    out: Annotated[Path, typer.Option(help="Folder the files go to.")] = Path("models/weights"),
) -> None:
    """Export the averaged weights of a checkpoint, or of several of one run."""
    network = HeadGan(preset_of(preset))
    out.mkdir(parents=True, exist_ok=True)
    step = load_mean(checkpoints, network)
    export(network, out)
    worst = difference(network, out)
    log.info("exported step %d; largest difference from PyTorch %.1e", step, worst)
    if worst > PARITY:
        raise RuntimeError(f"the exported network differs from PyTorch by {worst:.3g}")
    if network.preset.compose:  # of the other presets nobody expects that a CPU keeps up
        try:
            found = quantise(find_weights(preset, out), out, read_sample())
        except TooFewBitsError as error:
            log.warning("without an 8-bit generator: %s", error)
        else:
            log.info("its 8-bit generator agrees with it to %.1f dB", found)


if __name__ == "__main__":
    # The exporter tells of every rewrite at INFO.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    run_command(main)
