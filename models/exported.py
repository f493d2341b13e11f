"""Reading a network's weights back from its ONNX files, to go on training what is shipped.

Checkpoints are not kept in the repository; the exported networks are.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from models.engine.weights import find_weights
from shared.errors import BadInputError

PREFIX = "network."  # what the exporter's module calls the generator


def read_exported(folder: Path, preset: str) -> dict[str, Tensor]:
    """Return every constant of a preset's ONNX files, by its name in the generator.

    Raises:
        BadInputError: there are no (whole) networks of that preset in the folder.
    """
    weights = find_weights(preset, folder)
    found: dict[str, Tensor] = {}
    for path in (weights.encoder, weights.generator):
        try:
            graph = onnx.load(path).graph
        except DecodeError as error:
            raise BadInputError(f"{path} cannot be read as a network: {error}") from error
        for constant in graph.initializer:
            value = torch.from_numpy(numpy_helper.to_array(constant).copy())
            found[constant.name.removeprefix(PREFIX)] = value
    return found


def load_exported(folder: Path, preset: str, network: nn.Module, new: str) -> None:
    """Read the exported networks of a preset into a generator that may have further parts.

    Args:
        folder: where the ONNX files are.
        preset: whose.
        network: the generator.
        new: what the names of parts begin with that the files need not have; they stay as they are.

    Raises:
        BadInputError: the files are missing, damaged or of another network.
    """
    constants, own = read_exported(folder, preset), network.state_dict()
    missing = [
        name
        for name, value in own.items()
        if not name.startswith(new)
        and (name not in constants or constants[name].shape != value.shape)
    ]
    if missing:
        raise BadInputError(
            f"the networks of {preset} in {folder} hold no {missing[0]} that fits the preset as it "
            "is now: another version exported them"
        )
    network.load_state_dict({name: constants.get(name, value) for name, value in own.items()})
