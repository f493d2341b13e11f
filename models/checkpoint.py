"""Training state on disk: networks, optimiser and step, as safetensors (no pickles)."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from shared.errors import BadInputError


def save_checkpoint(
    path: Path,
    preset: str,
    step: int,
    networks: dict[str, nn.Module],
    optimizers: dict[str, Optimizer],
) -> None:
    """Write everything that a resumed run needs; the file is complete or the old one stays."""
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        for key, value in network.state_dict().items():
            tensors[f"{name}/{key}"] = value.detach().cpu().contiguous().clone()
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensor = torch.as_tensor(value).cpu().contiguous().clone()
                tensors[f"{name}/{index}/{key}"] = tensor
    partial = path.with_suffix(".partial")
    save_file(tensors, str(partial), {"preset": preset, "step": str(step)})
    partial.replace(path)


def load_checkpoint(
    path: Path,
    preset: str,
    networks: dict[str, nn.Module],
    optimizers: dict[str, Optimizer] | None = None,
) -> int:
    """Read a checkpoint into networks and optimisers; returns the step it was written at.

    Raises:
        BadInputError: the file is missing, damaged or of another preset.
    """
    tensors, metadata = _read(path)
    if metadata.get("preset") != preset:
        raise BadInputError(f"{path} is of preset {metadata.get('preset')}, not {preset}")
    for name, network in networks.items():
        try:
            network.load_state_dict(_weights(tensors, name))
        except RuntimeError as error:
            raise BadInputError(
                f"{path} holds no {name} of preset {preset} as it is now: another version wrote it"
            ) from error
    for name, optimizer in (optimizers or {}).items():
        optimizer.load_state_dict(_optimizer_state(tensors, name, optimizer))
    return int(metadata["step"])


def load_related(path: Path, networks: dict[str, nn.Module], new: str) -> None:
    """Read the networks of a checkpoint into ones that have further parts.

    Args:
        path: a checkpoint of any preset.
        networks: by the names in it.
        new: what the names of parts begin with that it need not have; they stay as they are.

    Raises:
        BadInputError: the file is missing or damaged, or its networks differ otherwise.
    """
    for name, network in networks.items():
        weights = _weights(_read(path)[0], name)
        own = network.state_dict()
        added = {key: value for key, value in own.items() if key.startswith(new)}
        try:
            network.load_state_dict(added | weights)
        except RuntimeError as error:
            raise BadInputError(
                f"{path} holds no {name} that this preset could go on from: {error}"
            ) from error


def held_networks(path: Path) -> set[str]:
    """Return the names of what a checkpoint holds: networks and optimisers.

    Raises:
        BadInputError: the file cannot be read.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name.split("/")[0] for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read as a checkpoint: {error}") from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read as a checkpoint: {error}") from error


def _weights(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key[len(prefix) :]: v for key, v in tensors.items() if key.startswith(prefix)}


def _optimizer_state(
    tensors: dict[str, Tensor], optimizer_name: str, optimizer: Optimizer
) -> dict[str, object]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{optimizer_name}/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
