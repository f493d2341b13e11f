"""The GPU's benchmark, on the CPU: what is counted, and that every way is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import Limits, Work, main, measure_limits, point, work_of
from models.headgan import HeadGan
from models.presets import preset

exporting = pytest.mark.filterwarnings(
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"
)


def test_the_work_of_a_frame_is_counted() -> None:
    work = work_of(HeadGan(preset("lite")).eval(), 4)
    assert 2e9 < work.flops < 8e9  # about 2 GMAC a frame behind the encoder
    assert work.bytes > 4 * 1.2e6  # at least its weights
    assert work_of(HeadGan(preset("lite")).eval(), 2).bytes == work.bytes / 2


def test_the_limits_are_ratios_of_what_was_measured() -> None:
    found = point([0.010, 0.010, 0.030], 4, Work(1e9, 1e6), Limits(1e12, 1e9))
    assert found["median_ms"] == pytest.approx(10)
    assert found["fps"] == pytest.approx(400)
    assert found["of_matmul_limit"] == pytest.approx(0.4)
    assert found["of_copy_limit"] == pytest.approx(0.4)
    limits = measure_limits(torch.device("cpu"), 64)
    assert min(limits.matmul_flops, limits.copy_bytes) > 0


@exporting
def test_it_runs_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(preset("full"), widths=(4, 16, 64), flow_hidden=8, render_hidden=(8, 8, 8))
    monkeypatch.setattr(gpu, "preset_of", lambda _: small)
    main(tmp_path, presets="full", batches="2", times=2, side=64, skip="compile")
    result = json.loads(next(tmp_path.glob("gpu-*.json")).read_text())
    points = {one["engine"]: one for one in result["points"]}
    assert {"torch eager"} < set(points)
    assert all(
        one["batch"] == 2 and one["fps"] > 0 for one in points.values() if "failed" not in one
    )
    assert result["machine"]["device"]
    assert "failed" not in points["torch eager"]
