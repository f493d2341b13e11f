"""The engine: what it refuses, and that the shipped networks load and repeat themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.engine import DISPLACEMENT, FACE, FACES, LAYERS, Engine, shipped
from models.engine.sample import read_sample
from shared.errors import BadInputError

WEIGHTS = Path(str(resources.files("models"))) / "weights"
ROOT = Path(__file__).resolve().parent.parent
PARTS = ("lite-encoder.onnx", "lite-generator.onnx")
CPU_ENGINES = ("openvino", "onnxruntime")


def random_input(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    layers = random.uniform(-1, 1, LAYERS).astype(np.float32)
    face = random.uniform(0, 1, FACE).astype(np.float32)
    faces = random.uniform(0, 1, FACES).astype(np.float32)
    displacement = random.normal(0, 0.02, DISPLACEMENT).astype(np.float32)
    return layers, face, faces, displacement


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for part in PARTS:
        shutil.copy(WEIGHTS / part, tmp_path)
    return tmp_path


def test_lite_is_shipped() -> None:
    assert "lite" in shipped(WEIGHTS)


def test_a_picture_comes_back_in_range(engine: Engine) -> None:
    layers, face, faces, displacement = random_input(1)
    image = engine.generate(engine.encode(layers, face), faces, displacement)
    assert image.shape == (1, 3, 256, 256)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert np.abs(image).max() <= 1 + 1e-5


def test_the_same_input_gives_the_same_picture(engine: Engine) -> None:
    layers, face, faces, displacement = random_input(2)
    images = [
        made.generate(made.encode(layers, face), faces, displacement)
        for made in (engine, engine, Engine.load("lite"))
    ]
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[2])


def test_every_input_counts(engine: Engine) -> None:
    layers, face, faces, displacement = random_input(3)
    reference = engine.encode(layers, face)
    image = engine.generate(reference, faces, displacement)
    one_layer = [layers.copy() for _ in range(3)]
    for given, layer in zip(one_layer, (slice(3), slice(3, 4), slice(4, 7)), strict=True):
        given[:, layer] *= -1
    others = [
        engine.generate(reference, np.flip(faces, 3).copy(), displacement),
        engine.generate(reference, faces, -displacement),
        engine.generate(engine.encode(-layers, face), faces, displacement),
        engine.generate(engine.encode(layers, 1 - face), faces, displacement),
        *(engine.generate(engine.encode(given, face), faces, displacement) for given in one_layer),
    ]
    assert all(np.abs(other - image).max() > 1e-4 for other in others)


def test_arrays_for_a_frame_stay_good_for_three_more_and_then_come_again(engine: Engine) -> None:
    given = [engine.inputs() for _ in range(12)]
    for faces, displacement in given:
        assert (faces.shape, displacement.shape) == (FACES, DISPLACEMENT)
        assert faces.dtype == displacement.dtype == np.float32
    for number, one in enumerate(given[:-3]):
        for other in given[number + 1 : number + 4]:
            assert not any(np.shares_memory(*pair) for pair in zip(one, other, strict=True))
    assert len({id(array) for pair in given for array in pair}) == 2 * 4


def test_the_reference_is_kept_with_its_features(engine: Engine) -> None:
    layers, face, *_ = random_input(4)
    reference = engine.encode(layers, face)
    assert reference.layers is layers
    assert reference.features
    assert all(np.isfinite(value).all() for value in reference.features.values())


def test_an_unknown_engine_is_refused_with_the_choices() -> None:
    with pytest.raises(
        BadInputError, match="no engine 'tpu': use one of auto, tensorrt, tensorrt-rtx, "
    ):
        Engine.load(engine="tpu")


def test_an_unknown_preset_is_refused_with_what_is_shipped() -> None:
    with pytest.raises(BadInputError, match=r"no weights for the preset .huge.: use one of .*lite"):
        Engine.load("huge")


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="train one first"):
        Engine.load(folder=tmp_path)


@pytest.mark.parametrize("part", PARTS)
def test_half_a_network_is_not_one(copied: Path, part: str) -> None:
    (copied / part).unlink()
    with pytest.raises(BadInputError, match="no weights for the preset 'lite'"):
        Engine.load(folder=copied)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_network_is_refused(copied: Path, part: str, kept: float) -> None:
    data = (copied / part).read_bytes()
    (copied / part).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BadInputError, match=f"{part} cannot be read as a network"):
        Engine.load(folder=copied)


def test_a_file_of_another_kind_is_refused(copied: Path) -> None:
    (copied / PARTS[1]).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    with pytest.raises(BadInputError, match="cannot be read as a network"):
        Engine.load(folder=copied)


def test_another_network_is_refused(copied: Path) -> None:
    shutil.copy(copied / PARTS[0], copied / PARTS[1])
    with pytest.raises(BadInputError, match="exported by another version"):
        Engine.load(folder=copied)


@pytest.mark.parametrize("part", PARTS)
def test_a_network_from_before_the_layers_is_refused(copied: Path, part: str) -> None:
    session = ort.InferenceSession(copied / part)
    older = {entry.name: entry.shape for entry in session.get_inputs()}
    older["reference"] = [1, 3, 256, 256]
    kind = onnx.TensorProto.FLOAT
    outputs = [(entry.name, entry.shape) for entry in session.get_outputs()]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ConstantOfShape", ["shape"], [name], name) for name, _ in outputs],
        "older",
        [onnx.helper.make_tensor_value_info(name, kind, shape) for name, shape in older.items()],
        [onnx.helper.make_tensor_value_info(name, kind, None) for name, _ in outputs],
        [onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [1], [1])],
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), copied / part)
    with pytest.raises(BadInputError, match=r"a reference of .* exported by another version"):
        Engine.load(folder=copied)


def test_generating_needs_no_torch() -> None:
    script = """
import sys
import numpy as np
from models.engine import DISPLACEMENT, FACE, FACES, LAYERS, Engine
zeros = lambda shape: np.zeros(shape, np.float32)
engine = Engine.load()
engine.generate(engine.encode(zeros(LAYERS), zeros(FACE)), zeros(FACES), zeros(DISPLACEMENT))
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or "torch was imported"


@pytest.mark.parametrize("name", CPU_ENGINES)
def test_pictures_made_at_the_same_time_are_those_made_one_by_one(name: str) -> None:
    engine, sample = Engine.load("lite", name), read_sample(frames=2)
    reference = engine.encode(sample.layers, sample.face)
    given = [(sample.faces[n : n + 1], sample.displacements[n : n + 1]) for n in (0, 1)] * 4
    alone = [engine.generate(reference, *one) for one in given]
    with ThreadPoolExecutor(engine.lanes) as lanes:
        together = list(lanes.map(lambda one: engine.generate(reference, *one), given))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))


@pytest.mark.parametrize("name", CPU_ENGINES)
def test_callers_in_a_batch_and_a_new_reference_get_their_own_pictures(name: str) -> None:
    engine, sample = Engine.load("lite", name), read_sample(frames=2)
    references = [engine.encode(one, sample.face) for one in (sample.layers, -sample.layers)]
    together = engine.generate_batch(references, sample.faces, sample.displacements)
    assert together.shape == (2, 3, 256, 256)
    for row in (1, 0, 1):  # the reference changes with every frame
        one = slice(row, row + 1)
        alone = engine.generate(references[row], sample.faces[one], sample.displacements[one])
        np.testing.assert_array_equal(together[one], alone)
    swapped = engine.generate(references[1], sample.faces[:1], sample.displacements[:1])
    assert np.abs(swapped - together[:1]).max() > 0.1
