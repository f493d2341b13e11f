"""ONNX Runtime as an engine: which networks it takes, batches, another reference."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.engine.on_onnxruntime import load_cpu, multiplies_bytes, share_out
from models.engine.sample import read_sample
from models.engine.weights import Pair, find_weights

WEIGHTS = find_weights("lite")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse avx512_vnni avx512_bf16", True),
        ("fpu sse avx2 avx_vnni", True),
        ("fpu sse avx2 avx512f", False),
        ("", False),
    ],
)
def test_bytes_are_multiplied_where_the_processor_says_so(
    tmp_path: Path, flags: str, expected: bool
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert multiplies_bytes(path) is expected
    assert not multiplies_bytes(tmp_path / "none")


def test_8_bit_networks_of_other_weights_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert WEIGHTS.cpu is not None
    changed = tmp_path / "lite-cpu-generator.onnx"
    model = onnx.load(WEIGHTS.cpu.generator)
    onnx.helper.set_model_props(model, {"source": "0" * 64})
    onnx.save(model, changed)
    stale = replace(WEIGHTS, cpu=Pair(WEIGHTS.cpu.encoder, changed))
    assert load_cpu(stale, quantised=True).name == "onnxruntime (CPU, FP32)"
    assert "was made from other weights" in caplog.text


def test_without_8_bit_networks_the_exported_ones_run(tmp_path: Path) -> None:
    for path in (WEIGHTS.encoder, WEIGHTS.generator):
        shutil.copy(path, tmp_path)
    assert load_cpu(find_weights("lite", tmp_path), True).name == "onnxruntime (CPU, FP32)"


def test_callers_in_a_batch_and_a_new_reference_get_their_own_pictures() -> None:
    engine, sample = load_cpu(WEIGHTS), read_sample(frames=2)
    references = [engine.encode(one, sample.face) for one in (sample.layers, -sample.layers)]
    together = engine.generate_batch(references, sample.faces, sample.displacements)
    assert together.shape == (2, 3, 256, 256)
    for row in (1, 0, 1):  # the reference changes with every frame
        one = slice(row, row + 1)
        alone = engine.generate(references[row], sample.faces[one], sample.displacements[one])
        np.testing.assert_array_equal(together[one], alone)
    swapped = engine.generate(references[1], sample.faces[:1], sample.displacements[:1])
    assert np.abs(swapped - together[:1]).max() > 0.1


def test_nothing_is_collected_for_its_maker(tmp_path: Path) -> None:
    # Its package has telemetry that is on: a database in the home folder, sent now and then.
    load = "from models.engine import Engine; Engine.load('lite', 'onnxruntime')"
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    subprocess.run([sys.executable, "-c", load], env=kept | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*onnxruntime*")) == []


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 3)), (64, (2, 4))]
)
def test_processors_are_shared_out(count: int, expected: tuple[int, int]) -> None:
    assert share_out(count) == expected


def test_pictures_made_at_the_same_time_are_those_made_one_by_one() -> None:
    engine, sample = load_cpu(WEIGHTS), read_sample(frames=2)
    reference = engine.encode(sample.layers, sample.face)
    given = [(sample.faces[n : n + 1], sample.displacements[n : n + 1]) for n in (0, 1)] * 4
    alone = [engine.generate(reference, *one) for one in given]
    with ThreadPoolExecutor(2) as lanes:
        together = list(lanes.map(lambda one: engine.generate(reference, *one), given))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))
