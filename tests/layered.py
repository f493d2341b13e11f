"""References in layers, for tests."""

from __future__ import annotations

import torch
from torch import Tensor

from shared.layers import LAYER_CHANNELS


def layered(person: Tensor) -> Tensor:
    """Return random layers, (1, 7, 64, 64), with a person where a mask (64, 64) says so."""
    torch.manual_seed(5)
    layers = torch.rand(1, LAYER_CHANNELS, 64, 64) * 2 - 1
    layers[:, 3] = person * 2 - 1
    return layers


def body() -> Tensor:
    """Return the mask of a person, (64, 64)."""
    person = torch.zeros(64, 64)
    person[30:, 20:40] = 1
    return person
