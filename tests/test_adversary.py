"""The adversary's losses and its learning."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.adversary import Adversary, discriminator_loss, generator_loss, matching_loss
from models.discriminator import Verdict
from models.presets import preset

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)


def verdict(realness: float, feature: float = 0.0) -> list[Verdict]:
    return [Verdict([torch.full((1, 4, 2, 2), feature)], torch.full((1, 1, 2, 2), float(realness)))]


@pytest.mark.parametrize(
    ("real", "made", "loss"),
    [(1, -1, 0), (3, -5, 0), (0, 0, 2), (-1, 1, 4), (0.5, -1, 0.5), (1, 0.25, 1.25)],
)
def test_the_discriminators_pay_up_to_the_hinge(real: float, made: float, loss: float) -> None:
    assert float(discriminator_loss(verdict(real), verdict(made))) == pytest.approx(loss)


def test_the_generator_pays_for_what_is_seen_through() -> None:
    assert float(generator_loss(verdict(-2.0))) == 2
    assert float(generator_loss(verdict(-2.0) + verdict(1.0))) == 0.5


def test_features_are_matched_in_the_mean() -> None:
    real, made = verdict(0, 1.0) + verdict(0, 2.0), verdict(0, 1.5) + verdict(0, 1.0)
    assert float(matching_loss(real, made)) == pytest.approx(0.75)


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor, Tensor]:
    """Return flat made pictures, textured real ones, and face images."""
    torch.manual_seed(0)
    faces = torch.zeros(2, 9, 256, 256)
    faces[:, :3, 178:183, 126:131] = torch.tensor([0.5, 0.7, 0.5])[None, :, None, None]
    return torch.zeros(2, 3, 256, 256), torch.rand(2, 3, 256, 256) * 2 - 1, faces


def test_it_learns_to_tell_the_two_apart(pictures: tuple[Tensor, Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    adversary = Adversary(preset("lite"), 1e-3, torch.device("cpu"))
    losses = [adversary.learn(*pictures, rate=1e-3) for _ in range(4)]
    assert losses[-1] < losses[0]


def test_the_generator_is_taught_and_the_discriminators_are_not(
    pictures: tuple[Tensor, Tensor, Tensor],
) -> None:
    torch.manual_seed(0)
    adversary = Adversary(preset("lite"), 1e-3, torch.device("cpu"))
    made = pictures[0].clone().requires_grad_()
    terms = adversary.terms(made, *pictures[1:])
    assert set(terms) == {"adversarial", "matching"}
    (terms["adversarial"] + terms["matching"]).backward()
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in adversary.networks.parameters())
