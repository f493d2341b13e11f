"""The 8-bit generator changes little, or is not written."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from models import quantise as module
from models.engine.check import LEAST_DB, agreement
from models.engine.on_onnxruntime import load_cpu
from models.engine.sample import read_sample
from models.engine.weights import find_weights
from models.quantise import TooFewBitsError, is_quantised, quantise

WEIGHTS = find_weights("lite")


def test_the_shipped_8_bit_generator_makes_the_same_pictures() -> None:
    assert WEIGHTS.int8 is not None
    quantised = load_cpu(WEIGHTS, quantised=True)
    assert agreement(quantised, load_cpu(WEIGHTS, quantised=False), read_sample()) > LEAST_DB
    nodes = onnx.load(WEIGHTS.int8).graph.node
    assert sum(node.op_type == "QuantizeLinear" for node in nodes) > 20


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("network.flow.coarse.0.norms.0.shared.weight", False),  # reads the geometry
        ("network.flow.coarse.0.norms.0.gamma_beta.weight", True),
        ("network.flow.coarse.0.convs.1.weight", True),
        ("network.flow.head.weight", False),
        ("network.render.encoder.first.weight", False),
        ("network.render.blocks.1.norms.0.shared.weight", True),
        ("network.render.blocks.1.convs.0.weight", True),
        ("network.render.blocks.2.convs.0.weight", False),  # the finest scale
        ("network.render.ups.0.widen.weight", True),
        ("network.render.head.weight", False),
    ],
)
def test_what_takes_8_bits(weight: str, expected: bool) -> None:
    assert is_quantised(weight) == expected
    convolutions = [
        node.input[1] for node in onnx.load(WEIGHTS.generator).graph.node if node.op_type == "Conv"
    ]
    assert weight in convolutions


def test_too_coarse_networks_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_DB", 199.0)
    with pytest.raises(TooFewBitsError, match=r"8 bits are too few: \d+\.\d dB, 199 are needed"):
        quantise(WEIGHTS, tmp_path, read_sample(frames=1))
    assert list(tmp_path.iterdir()) == []
