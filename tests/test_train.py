"""The trainer: a run of a few steps on drawn faces, stopped and resumed to the bit."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from models import train
from models.checkpoint import load_checkpoint
from models.evaluate import Score, validation_pairs
from models.headgan import HeadGan
from models.presets import preset
from models.trainer import Trainer
from shared.errors import BadInputError
from tests.faces import packed_file

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

STEPS, BATCH = 4, 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_file(tmp_path_factory.mktemp("data") / "pairs.npz")


def run(data: Path, out: Path, steps: int = STEPS, every: int = 2) -> None:
    with pytest.MonkeyPatch.context() as patched:
        # Two validation frames instead of eight.
        patched.setattr(train, "validation_pairs", lambda pairs, _: validation_pairs(pairs, 2))
        train.main(data, out, steps=steps, batch=BATCH, every=every, workers=0, seed=3)


def log_of(out: Path) -> list[list[str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.reader(file))


def state(out: Path) -> dict[str, Tensor]:
    with safe_open(str(out / "checkpoint.safetensors"), framework="pt") as file:
        assert file.metadata() == {"preset": "lite", "step": str(STEPS)}
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture
def _unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the look at validation pictures out, which takes longer than the steps."""
    score, rows = Score(1, 1, 1, 1), [[torch.zeros(3, 8, 8)]]
    monkeypatch.setattr(train, "evaluate", lambda *_: (score, rows))


@pytest.fixture(scope="module")
def unbroken(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "unbroken"
    run(data, out)
    return out


@pytest.mark.usefixtures("_unjudged")
def test_a_stopped_run_goes_on_to_the_bit(
    data: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(train, "evaluate", stop)  # comes right after the checkpoint of step 2
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path)
    assert load_checkpoint(tmp_path / "checkpoint.safetensors", "lite", {}) == 2
    run(data, tmp_path)
    straight, resumed = state(unbroken), state(tmp_path)
    assert straight.keys() == resumed.keys()
    different = [name for name in straight if not torch.equal(straight[name], resumed[name])]
    assert different == []


def test_the_checkpoint_holds_networks_and_optimiser(unbroken: Path) -> None:
    names = {name.split("/")[0] for name in state(unbroken)}
    assert names == {"network", "ema", "optimizer"}


def test_the_networks_have_learned(unbroken: Path) -> None:
    torch.manual_seed(3)
    untrained = HeadGan(preset("lite")).state_dict()
    now = state(unbroken)
    moved = [
        name for name, value in untrained.items() if not torch.equal(now[f"network/{name}"], value)
    ]
    assert len(moved) > 0.8 * len(untrained)
    assert all(torch.isfinite(value).all() for value in now.values())
    # The average follows the network and is not it.
    assert any(not torch.equal(now[f"ema/{name}"], now[f"network/{name}"]) for name in moved)
    assert any(not torch.equal(now[f"ema/{name}"], untrained[name]) for name in moved)


def test_log_and_sheets_lie_beside_the_checkpoint(unbroken: Path) -> None:
    rows = log_of(unbroken)
    assert [row[0] for row in rows] == ["2", "4"]
    for row in rows:
        figures = dict(cell.split("=") for cell in row[2:])
        assert {"psnr", "warped", "mesh", "copy", "pixel", "gradient"} <= set(figures)
        assert all(float(value) > 0 for value in figures.values())
    assert sorted(path.name for path in unbroken.glob("*.png")) == [
        "sheet-000002.png",
        "sheet-000004.png",
    ]
    sheet = cv2.imread(str(unbroken / "sheet-000004.png"))
    assert sheet is not None
    assert sheet.shape == (256, 5 * 256, 3)


def test_a_finished_run_stays_finished(
    data: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(unbroken)
    monkeypatch.setattr(Trainer, "train_step", lambda *_: pytest.fail("another step was taken"))
    run(data, unbroken)
    assert all(torch.equal(value, before[name]) for name, value in state(unbroken).items())


class Counter(Trainer):
    """Takes steps without training: each costs 1."""

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        assert len(batch["target"]) == BATCH
        self.step += 1
        return {"pixel": 1.0}


@pytest.mark.usefixtures("_unjudged")
def test_the_log_has_means_over_the_steps_since_the_last_row(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "Trainer", Counter)
    run(data, tmp_path, steps=5, every=3)
    rows = log_of(tmp_path)
    assert [(row[0], row[-1]) for row in rows] == [("3", "pixel=1.0000"), ("5", "pixel=1.0000")]


@pytest.mark.usefixtures("_unjudged")
def test_a_run_stops_in_time_and_can_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "Trainer", Counter)
    train.main(data, tmp_path, steps=5, batch=BATCH, every=3, workers=0, minutes=0)
    train.main(data, tmp_path, steps=5, batch=BATCH, every=3, workers=0)
    assert [row[0] for row in log_of(tmp_path)] == ["1", "3", "5"]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}])
def test_no_steps_or_no_pairs_are_refused(
    data: Path, tmp_path: Path, wrong: dict[str, int]
) -> None:
    with pytest.raises(BadInputError, match="at least 1"):
        train.main(data, tmp_path, **wrong)


def test_an_unknown_preset_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no preset 'huge'"):
        train.main(data, tmp_path, preset="huge")


def test_missing_data_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"models\.prepare"):
        train.main(tmp_path / "none.npz", tmp_path / "out", steps=1, batch=1, workers=0)
