"""Training state on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim import Adam

from models import checkpoint as module
from models.checkpoint import held_networks, load_checkpoint, load_related, save_checkpoint
from shared.errors import BadInputError


def network(seed: int = 0, width: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, 1, 1))


def trained(steps: int = 3) -> tuple[nn.Module, Adam]:
    made = network()
    optimizer = Adam(made.parameters(), lr=0.01, betas=(0.5, 0.999))
    for seed in range(steps):
        step(made, optimizer, seed)
    return made, optimizer


def step(made: nn.Module, optimizer: Adam, seed: int) -> None:
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    made(pictures).square().mean().backward()
    optimizer.step()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made, optimizer = trained()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, "lite", 3, {"network": made, "ema": network(5)}, {"optimizer": optimizer})
    return path


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_everything_comes_back_to_the_bit(path: Path) -> None:
    loaded, ema = network(1), network(2)
    optimizer = Adam(loaded.parameters(), lr=0.01, betas=(0.5, 0.999))
    assert (
        load_checkpoint(path, "lite", {"network": loaded, "ema": ema}, {"optimizer": optimizer})
        == 3
    )
    made, their_optimizer = trained()
    assert same(loaded, made)
    assert same(ema, network(5))
    # The next steps are the same only if the optimiser's memory is.
    for seed in (10, 11):
        step(made, their_optimizer, seed)
        step(loaded, optimizer, seed)
    assert same(loaded, made)


def test_one_network_can_be_read_alone(path: Path) -> None:
    ema = network(1)
    assert load_checkpoint(path, "lite", {"ema": ema}) == 3
    assert same(ema, network(5))


def test_two_optimisers_are_kept_apart(path: Path, tmp_path: Path) -> None:
    made, optimizer = trained()
    other, their_optimizer = trained(5)
    both = {"optimizer": optimizer, "other-optimizer": their_optimizer}
    save_checkpoint(tmp_path / "two", "lite", 3, {"network": made, "other": other}, both)
    fresh = Adam(network().parameters())
    load_checkpoint(tmp_path / "two", "lite", {}, {"other-optimizer": fresh})
    wanted = their_optimizer.state_dict()["state"]
    for index, kept in fresh.state_dict()["state"].items():
        assert all(torch.equal(kept[key], wanted[index][key]) for key in kept)


def test_a_checkpoint_says_what_it_holds(path: Path, tmp_path: Path) -> None:
    assert held_networks(path) == {"network", "ema", "optimizer"}
    with pytest.raises(BadInputError, match="cannot be read as a checkpoint"):
        held_networks(tmp_path / "none")


def test_another_preset_is_refused(path: Path) -> None:
    with pytest.raises(BadInputError, match="is of preset lite, not full"):
        load_checkpoint(path, "full", {"network": network()})


@pytest.mark.parametrize("kept", [0, 4, 100, 1000])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadInputError, match="cannot be read as a checkpoint"):
        load_checkpoint(path, "lite", {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read as a checkpoint"):
        load_checkpoint(tmp_path / "none", "lite", {})


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(BadInputError, match="is of preset None, not lite"):
        load_checkpoint(tmp_path / "foreign.safetensors", "lite", {})


@pytest.mark.parametrize("name", ["network", "discriminator"])
def test_a_network_of_another_version_is_refused(path: Path, name: str) -> None:
    other = network(1, width=5)
    with pytest.raises(BadInputError, match=f"holds no {name} of preset lite as it is now"):
        load_checkpoint(path, "lite", {name: other})


def test_a_save_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_: object, name: str, __: object) -> None:
        Path(name).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "save_file", full)
    made, optimizer = trained(5)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(path, "lite", 5, {"network": made}, {"optimizer": optimizer})
    assert path.read_bytes() == before


def test_a_save_leaves_nothing_beside_it(path: Path) -> None:
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


class Grown(nn.Sequential):
    """A network of the same parts and one more."""

    def __init__(self, width: int = 4) -> None:
        super().__init__(*network(7, width))
        self.audio = nn.Linear(2, 3)


def test_a_network_with_further_parts_goes_on_from_one_without(path: Path) -> None:
    grown = Grown()
    before = {name: value.clone() for name, value in grown.audio.state_dict().items()}
    load_related(path, {"ema": grown}, "audio.")
    assert torch.equal(grown[0].weight, network(5)[0].weight)
    assert all(torch.equal(value, before[name]) for name, value in grown.audio.state_dict().items())


def test_other_differences_are_refused(path: Path, tmp_path: Path) -> None:
    for made, new in ((Grown(), "sound."), (Grown(width=5), "audio.")):
        with pytest.raises(BadInputError, match="could go on from"):
            load_related(path, {"ema": made}, new)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_related(tmp_path / "none", {"ema": Grown()}, "audio.")
