"""Going on from what is shipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from models.engine.weights import find_weights
from models.exported import load_exported, read_exported
from models.headgan import HeadGan
from models.presets import preset
from shared.errors import BadInputError

SHIPPED = find_weights("lite").encoder.parent


def test_every_weight_of_the_shipped_networks_comes_back() -> None:
    network = HeadGan(preset("lite"))
    with torch.no_grad():
        for value in network.parameters():
            value.fill_(torch.nan)
    load_exported(SHIPPED, "lite", network, "render.audio.")
    assert all(value.isfinite().all() for value in network.parameters())
    constants = read_exported(SHIPPED, "lite")
    assert torch.equal(network.render.head.weight, constants["render.head.weight"])


def test_new_parts_stay_as_they_are() -> None:
    network = HeadGan(preset("lite-audio"))
    before = [value.clone() for value in network.render.audio.parameters()]
    load_exported(SHIPPED, "lite", network, "render.audio.")
    assert all(map(torch.equal, before, network.render.audio.parameters()))


def test_other_networks_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"hold no render\.audio.* another version"):
        load_exported(SHIPPED, "lite", HeadGan(preset("lite-audio")), "none")
    with pytest.raises(BadInputError, match="no weights for the preset"):
        load_exported(tmp_path, "lite", HeadGan(preset("lite")), "none")
    shutil.copy(SHIPPED / "lite-encoder.onnx", tmp_path)
    (tmp_path / "lite-generator.onnx").write_bytes(b"\xff nothing of the kind")
    with pytest.raises(BadInputError, match=r"lite-generator\.onnx cannot be read"):
        load_exported(tmp_path, "lite", HeadGan(preset("lite")), "none")
