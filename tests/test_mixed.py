"""Mixed precision and batches of an exported network, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.engine.check import LEAST_DB, agreement
from models.engine.mixed import read_model, set_batch, to_mixed
from models.engine.on_onnxruntime import CpuEngine, load_cpu
from models.engine.sample import read_sample
from models.engine.weights import find_weights

WEIGHTS = find_weights("lite")
TYPES = onnx.TensorProto


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mixed")
    paths = []
    for path in (WEIGHTS.encoder, WEIGHTS.generator):
        model = read_model(path)
        to_mixed(model)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / path.name)
        paths.append(folder / path.name)
    return paths[0], paths[1]


def test_mixed_precision_makes_the_same_pictures(mixed: tuple[Path, Path]) -> None:
    engine = CpuEngine(*mixed)
    assert agreement(engine, load_cpu(WEIGHTS, False), read_sample(frames=3)) > LEAST_DB


def test_norms_grids_and_samples_stay_in_single_precision(mixed: tuple[Path, Path]) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(mixed[1]))
    kinds = {v.name: v.type.tensor_type.elem_type for v in model.graph.value_info}
    kinds |= {constant.name: constant.data_type for constant in model.graph.initializer}
    kinds |= {
        v.name: v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)
    }
    by_type: dict[str, set[int]] = {}
    for node in model.graph.node:
        by_type.setdefault(node.op_type, set()).add(kinds[node.input[0]])
        if node.op_type == "GridSample":
            assert kinds[node.input[1]] == TYPES.FLOAT
    for kind in ("InstanceNormalization", "GridSample", "Tanh", "Sigmoid", "ReduceMean"):
        assert by_type[kind] == {TYPES.FLOAT}
    halves = [kinds[node.input[0]] for node in model.graph.node if node.op_type == "Conv"]
    # The flow's last is single, and so is the one that only folds pixels.
    assert halves.count(TYPES.FLOAT) == 1
    assert len(halves) == 45
    assert {kinds[v.name] for v in (*model.graph.input, *model.graph.output)} == {TYPES.FLOAT}
    assert max(len(v.type.tensor_type.shape.dim) for v in model.graph.value_info) <= 4


def test_a_batch_makes_the_pictures_of_single_frames() -> None:
    sample, single = read_sample(frames=3), load_cpu(WEIGHTS, quantised=False)
    model = read_model(WEIGHTS.generator)
    set_batch(model, 3)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    layers = [sample.layers, sample.layers[..., ::-1].copy(), -sample.layers]
    references = [single.encode(one, sample.face) for one in layers]
    names = references[0].features
    together = session.run(
        ["image"],
        {
            "faces": sample.faces,
            "displacement": sample.displacements,
            "reference": np.concatenate(layers),
            **{name: np.concatenate([one.features[name] for one in references]) for name in names},
        },
    )[0]
    apart = single.generate_batch(references, sample.faces, sample.displacements)
    assert together.shape == apart.shape == (3, 3, 256, 256)
    np.testing.assert_allclose(together, apart, atol=1e-4)
