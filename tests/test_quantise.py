"""The networks for a CPU: warps by rows change nothing, 8 bits change little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import quantise as module
from models.engine.check import LEAST_DB, agreement
from models.engine.interface import Floats
from models.engine.on_onnxruntime import CpuEngine, load_cpu
from models.engine.sample import read_sample
from models.engine.weights import find_weights
from models.quantise import TooFewBitsError, is_quantised, quantise
from models.warp_rows import use_rows

WEIGHTS = find_weights("lite")


def test_the_shipped_8_bit_networks_make_the_same_pictures() -> None:
    assert WEIGHTS.cpu is not None
    quantised = load_cpu(WEIGHTS, quantised=True)
    assert quantised.name == "onnxruntime (CPU, INT8)"
    assert agreement(quantised, load_cpu(WEIGHTS, quantised=False), read_sample()) > LEAST_DB
    kinds = {node.op_type for node in onnx.load(WEIGHTS.cpu.generator).graph.node}
    assert "GridSample" not in kinds
    assert {"Gather", "QuantizeLinear"} <= kinds


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


def test_rows_alone_change_nothing(tmp_path: Path) -> None:
    encoder, generator = onnx.load(WEIGHTS.encoder), onnx.load(WEIGHTS.generator)
    use_rows(encoder, generator)
    paths = []
    for name, model in (("e.onnx", encoder), ("g.onnx", generator)):
        onnx.checker.check_model(model)
        onnx.save(model, tmp_path / name)
        paths.append(tmp_path / name)
    sample = read_sample(frames=2)
    # Displacements far beyond the border too: there the edge is repeated.
    far: Floats = sample.displacements + np.float32(0.7) * np.float32([[[1]], [[-1]]])
    for moved in (sample.displacements, far):
        sample.displacements[:] = moved
        engine, trusted = CpuEngine(paths[0], paths[1]), load_cpu(WEIGHTS, quantised=False)
        assert agreement(engine, trusted, sample) > 100


def test_a_warp_of_what_is_computed_is_refused() -> None:
    shape = [1, 4, 8, 8]
    nodes = [
        helper.make_node("Relu", ["x"], ["y"], "relu"),
        helper.make_node("Transpose", ["flow"], ["grid"], "turn", perm=[0, 2, 3, 1]),
        helper.make_node("GridSample", ["y", "grid"], ["image"], "warp"),
    ]
    kind = TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info("x", kind, shape),
        helper.make_tensor_value_info("flow", kind, [1, 2, 8, 8]),
    ]
    outputs = [helper.make_tensor_value_info("image", kind, shape)]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs))
    with pytest.raises(ValueError, match="y is computed, not given"):
        use_rows(onnx.ModelProto(), model)


def test_too_coarse_networks_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_DB", 199.0)
    with pytest.raises(TooFewBitsError, match=r"8 bits are too few: \d+\.\d dB, 199 are needed"):
        quantise(WEIGHTS, tmp_path, read_sample(frames=1))
    assert list(tmp_path.iterdir()) == []
