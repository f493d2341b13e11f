"""Exporting: what ONNX Runtime computes is what PyTorch computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.optim import Adam

from models import export as module
from models.checkpoint import save_checkpoint
from models.engine import DISPLACEMENT, FACE, FACES, LAYERS, on_torch
from models.engine.on_onnxruntime import load_cpu
from models.engine.weights import find_weights
from models.export import OPSET, PARITY, cached, difference, export, load_mean, main, sample_inputs
from models.headgan import HeadGan
from models.presets import preset
from shared.errors import BadInputError
from tests import test_runner as runner

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

# Torch's own exporter warns about its own insides.
exporting = pytest.mark.filterwarnings(
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"
)
SMALL = {"lite": preset("lite"), "lite-audio": preset("lite-audio"), "full": replace(
    preset("full"), widths=(4, 16, 64), flow_hidden=8, render_hidden=(8, 8, 8)
)}  # fmt: skip


def random_network(name: str, seed: int = 0) -> HeadGan:
    """Return a network that does what a trained one does: it has a flow and paints."""
    torch.manual_seed(seed)
    network = HeadGan(SMALL[name]).eval()
    last = [m for m in network.flow.head.modules() if isinstance(m, nn.Conv2d)][-1]
    nn.init.normal_(last.weight, std=0.02)
    return network


def check(network: HeadGan, other: HeadGan, folder: Path) -> None:
    """Check that a folder's files are this network and not the other, and whole."""
    name = network.preset.name
    assert difference(network, folder) < PARITY
    assert difference(other, folder) > 10 * PARITY
    files = sorted(path.name for path in folder.iterdir() if "-int8-" not in path.name)
    assert files == [f"{name}-encoder.onnx", f"{name}-generator.onnx"]
    generator = onnx.load(folder / files[1])
    assert not any(node.metadata_props or node.doc_string for node in generator.graph.node)
    onnx.checker.check_model(generator)
    assert [entry.version for entry in generator.opset_import if not entry.domain] == [OPSET]
    taken = [entry.name for entry in generator.graph.input]
    hears = ["audio"] if network.preset.audio else []
    assert taken == ["faces", "displacement", "reference", *cached(network), *hears]


@exporting
def test_a_network_of_the_papers_shape_is_exported(tmp_path: Path) -> None:
    network = random_network("full")
    export(network, tmp_path)
    check(network, random_network("full", seed=1), tmp_path)


@exporting
def test_the_command_exports_the_averaged_lite(tmp_path: Path) -> None:
    network, average = random_network("lite", 1), random_network("lite", 2)
    networks = {"network": network, "ema": average}
    path, out = tmp_path / "checkpoint.safetensors", tmp_path / "out"
    out.mkdir()
    save_checkpoint(path, "lite", 7, networks, {"optimizer": Adam(network.parameters())})
    main([path], "lite", out)
    check(average, network, out)


def test_of_several_checkpoints_the_mean_is_taken(tmp_path: Path) -> None:
    paths, networks = [], []
    for step, seed in ((9, 1), (7, 2), (8, 3)):
        networks.append(random_network("lite", seed))
        paths.append(tmp_path / f"{step}.safetensors")
        optimizer = Adam(networks[-1].parameters())
        save_checkpoint(paths[-1], "lite", step, {"ema": networks[-1]}, {"optimizer": optimizer})
    found = random_network("lite", 4)
    assert load_mean(paths, found) == 9
    states = [network.state_dict() for network in networks]
    for name, value in found.state_dict().items():
        expected = torch.stack([state[name] for state in states]).mean(dim=0)
        torch.testing.assert_close(value, expected)


@exporting
def test_a_network_that_hears_is_exported_and_hears_silence_without_sound(tmp_path: Path) -> None:
    network = random_network("lite-audio")
    # As after training: untrained blocks do nothing, and the exporter merges equal constants.
    for block in network.render.audio:
        nn.init.normal_(block.convs[-1].weight, std=0.2)
    for value in network.parameters():
        if not value.any():
            nn.init.normal_(value, std=0.01)
    export(network, tmp_path)
    check(network, random_network("lite-audio", seed=1), tmp_path)
    engine = load_cpu(find_weights("lite-audio", tmp_path), quantised=False)
    encoder, generator = (
        [value.numpy() for value in inputs.values()] for inputs in sample_inputs(2)
    )
    reference = engine.encode(*encoder)
    audio = np.random.default_rng(1).random(300, np.float32)
    silent, zeros, heard = (
        engine.generate(reference, *generator[:2], given)
        for given in (None, np.zeros(300, np.float32), audio)
    )
    np.testing.assert_array_equal(silent, zeros)
    assert np.abs(silent - heard).max() > PARITY
    other = on_torch.load(find_weights("lite-audio", tmp_path))
    image = other.generate(other.encode(*encoder), *generator[:2], audio)
    assert np.abs(image - heard).max() < PARITY
    # Three callers, two a launch, each with a sound of its own; the first with none.
    compiled = runner.made(find_weights("lite-audio", tmp_path), runner.HostDevice())
    sounds = np.stack([np.zeros_like(audio), audio, audio])
    frames = [np.concatenate([value] * 3) for value in generator[:2]]
    images = compiled.generate_batch([compiled.encode(*encoder)] * 3, *frames, sounds)
    np.testing.assert_allclose(images, np.concatenate([silent, heard, heard]), atol=1e-4)


def test_a_network_that_differs_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = random_network("lite")
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, "lite", 7, {"ema": network}, {"optimizer": Adam(network.parameters())})
    monkeypatch.setattr(module, "export", lambda *_: None)
    monkeypatch.setattr(module, "difference", lambda *_: 0.5)
    with pytest.raises(RuntimeError, match=r"differs from PyTorch by 0\.5"):
        main([path], "lite", tmp_path)


def test_a_checkpoint_of_another_preset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, "full", 7, {}, {"optimizer": Adam([torch.zeros(1)])})
    with pytest.raises(BadInputError, match="is of preset full, not lite"):
        main([path], "lite", tmp_path)


def test_only_features_that_are_used_are_cached() -> None:
    assert cached(random_network("lite")) == ("middle", "coarse", "mouth", "iris", "photo")
    assert cached(random_network("full")) == ("fine", "middle", "coarse")


def test_sample_inputs_are_seeded_and_in_range() -> None:
    encoder, generator = sample_inputs(3)
    assert [tuple(v.shape) for v in encoder.values()] == [LAYERS, FACE]
    assert [tuple(v.shape) for v in generator.values()] == [FACES, DISPLACEMENT, LAYERS]
    assert torch.equal(encoder["reference"], generator["reference"])
    assert encoder["reference"].abs().max() <= 1
    assert 0 <= generator["faces"].min() <= generator["faces"].max() <= 1
    again, _ = sample_inputs(3)
    assert torch.equal(again["face"], encoder["face"])
    assert not torch.equal(sample_inputs(4)[0]["face"], encoder["face"])


@pytest.mark.parametrize("path", sorted((Path(module.__file__).parent / "weights").glob("*.onnx")))
def test_shipped_files_say_nothing_of_the_machine_that_made_them(path: Path) -> None:
    model = onnx.load(path)
    entries = (model.graph, *model.graph.node, *model.graph.input, *model.graph.initializer)
    assert not any(entry.doc_string or entry.metadata_props for entry in entries)
    assert {prop.key for prop in model.metadata_props} <= {"source"}
    assert not any(trace in path.read_bytes() for trace in (b".py", b"/home", b"stack_trace"))


def test_shipped_files_are_of_this_opset_and_fixed_size() -> None:
    folder = Path(module.__file__).parent / "weights"
    generator = onnx.load(folder / "lite-generator.onnx")
    assert [entry.version for entry in generator.opset_import if not entry.domain] == [OPSET]
    sizes = {
        entry.name: tuple(d.dim_value for d in entry.type.tensor_type.shape.dim)
        for entry in (*generator.graph.input, *generator.graph.output)
    }
    assert sizes["faces"] == FACES
    assert sizes["displacement"] == DISPLACEMENT
    assert sizes["reference"] == LAYERS
    assert sizes["image"] == (1, 3, 256, 256)
    layers, face = (np.zeros(shape, np.float32) for shape in (LAYERS, FACE))
    features = load_cpu(find_weights("lite"), quantised=False).encode(layers, face).features
    assert {name: value.shape for name, value in features.items()} == {
        name: sizes[name] for name in features
    }
