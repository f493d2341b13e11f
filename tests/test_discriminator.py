"""The discriminators' shapes and what they look at."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from models.crops import MOUTH
from models.discriminator import MOUTH_SIDE, Discriminators, PatchDiscriminator, Verdict
from models.presets import preset

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)


def faces(row: int = 180, column: int = 128) -> torch.Tensor:
    """Return face images that show a mouth at a place."""
    images = torch.zeros(1, 9, 256, 256)
    colour = torch.tensor([sum(MOUTH[:2]) / 2, sum(MOUTH[2:]) / 2, 0.5])
    images[:, :3, row - 2 : row + 3, column - 2 : column + 3] = colour[None, :, None, None]
    return images


def judge(networks: Discriminators, image: torch.Tensor) -> list[Verdict]:
    with torch.no_grad():
        found: list[Verdict] = networks.eval()(image, faces())
    return found


def test_full_and_half_size_and_the_mouth_are_judged() -> None:
    verdicts = judge(Discriminators(preset("lite")), torch.rand(1, 3, 256, 256))
    sides = [verdict.features[0].shape[-1] for verdict in verdicts]
    assert sides == [129, 65, MOUTH_SIDE // 2 + 1]
    layers = preset("lite").discriminator[1]
    for verdict in verdicts:
        assert len(verdict.features) == layers
        assert verdict.realness.shape[1] == 1
        assert verdict.realness.dtype == torch.float32


def test_the_mouths_sees_the_mouth_alone() -> None:
    torch.manual_seed(0)
    networks = Discriminators(preset("lite"))
    plain, elsewhere, mouth = (torch.zeros(1, 3, 256, 256) for _ in range(3))
    elsewhere[..., :100, :] = 0.5
    mouth[..., 175:185, 120:136] = 0.5
    before, beside, inside = (judge(networks, image) for image in (plain, elsewhere, mouth))
    assert torch.equal(before[2].realness, beside[2].realness)
    assert not torch.equal(before[0].realness, beside[0].realness)
    assert not torch.equal(before[2].realness, inside[2].realness)


def test_every_layer_but_the_last_is_spectrally_normalised() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(3, 16, 3)
    for _ in range(100):  # each pass in training takes one step towards the largest singular value
        network(torch.rand(1, 3, 16, 16))
    for layer in network.layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert float(largest.detach()) == pytest.approx(1, abs=0.1)


def test_audio_stands_beside_the_mouth() -> None:
    torch.manual_seed(0)
    hears = dataclasses.replace(preset("lite"), audio=5)
    networks = Discriminators(hears).eval()
    image = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        quiet, loud = (networks(image, faces(), torch.full((1, 5), v)) for v in (0.0, 1.0))
    assert torch.equal(quiet[0].realness, loud[0].realness)
    assert not torch.equal(quiet[2].realness, loud[2].realness)
