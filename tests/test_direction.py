from __future__ import annotations

import pytest

from benchmarks.direction import Direction, direction


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("receiver_fps", Direction.UP),
        ("psnr", Direction.UP),
        ("ms_ssim", Direction.UP),
        ("frames_shown", Direction.UP),
        ("stages › track › median_ms", Direction.DOWN),
        ("latency_ms › p95", Direction.DOWN),
        ("summary › setup_s › max", Direction.DOWN),
        ("wire_kbps", Direction.DOWN),
        ("bd_rate", Direction.DOWN),
        ("bd_psnr", Direction.UP),
        ("reference_bytes", Direction.DOWN),
        ("freeze_ratio", Direction.DOWN),
        ("perceptual", Direction.DOWN),
        ("receiver › cpu_per_s", Direction.DOWN),
        ("memory_mb › sender", Direction.DOWN),
        ("seconds", Direction.NEITHER),
        ("frames", Direction.NEITHER),
        ("summary › setup_s › count", Direction.NEITHER),
        ("callers", Direction.NEITHER),
        ("whatever", Direction.NEITHER),
    ],
)
def test_which_way_a_figure_is_better(name: str, way: Direction) -> None:
    assert direction(name.split(" › ")) is way
