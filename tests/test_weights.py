"""A preset's files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from models.engine.weights import find_weights, int8_path, shipped
from shared.errors import BadInputError

WEIGHTS = find_weights("lite")


def test_what_is_shipped_is_found_whole() -> None:
    assert WEIGHTS.int8 is not None
    assert WEIGHTS.on_cpu(quantised=True) == WEIGHTS.int8
    assert WEIGHTS.on_cpu(quantised=False) == WEIGHTS.generator
    assert "lite" in shipped(WEIGHTS.encoder.parent)


def test_without_an_8_bit_generator_the_exported_one_runs(tmp_path: Path) -> None:
    for path in (WEIGHTS.encoder, WEIGHTS.generator):
        shutil.copy(path, tmp_path)
    found = find_weights("lite", tmp_path)
    assert found.int8 is None
    assert found.on_cpu(quantised=True) == found.generator


def test_an_8_bit_generator_of_other_weights_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert WEIGHTS.int8 is not None
    changed = int8_path("lite", tmp_path)
    model = onnx.load(WEIGHTS.int8)
    onnx.helper.set_model_props(model, {"source": "0" * 64})
    onnx.save(model, changed)
    stale = replace(WEIGHTS, int8=changed)
    assert stale.on_cpu(quantised=True) == stale.generator
    assert "was made from other weights" in caplog.text


def test_an_unknown_preset_is_told_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"preset 'huge': use one of .*lite"):
        find_weights("huge")
    with pytest.raises(BadInputError, match="none"):
        find_weights("lite", tmp_path)
