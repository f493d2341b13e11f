"""How much of the residual flow to believe: each share is another picture, and is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models import residual
from models.engine.weights import find_weights
from models.exported import load_exported
from models.headgan import RESIDUAL_SHARE, HeadGan
from models.presets import preset
from models.residual import SHARES, main, measure
from shared.errors import BadInputError
from tests.faces import packed_file

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_file(tmp_path_factory.mktemp("data") / "pairs.npz")


def test_every_share_is_another_picture_and_the_mesh_stays(data: Path) -> None:
    network = HeadGan(preset("lite")).eval()
    load_exported(find_weights("lite").encoder.parent, "lite", network, "none")
    assert network.flow.residual_share == RESIDUAL_SHARE
    scores = measure(network, data, "val", 1)
    assert len({score.warped for score in scores}) == len(SHARES)
    assert len({score.mesh for score in scores}) == 1


def test_it_prints_a_line_for_each(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(residual, "SHARES", (0.0, 1.0))
    main(data, frames=1)
    said = capsys.readouterr().out
    assert "people of the training" in " ".join(said.split())
    assert sum(line.startswith("│") for line in said.splitlines()) == 2


def test_a_flow_without_residual_is_refused(data: Path) -> None:
    with pytest.raises(BadInputError, match="the flow of full has no residual"):
        main(data, preset="full")
