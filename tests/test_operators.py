"""Where the milliseconds go: kinds of operations find their group, and every engine is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from benchmarks.operators import GROUPS, REST, cases, group_of, main
from models.engine.weights import find_weights
from shared.errors import BadInputError


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("QLinearConv", "convolutions"),
        ("Convolution", "convolutions"),
        ("Convert", "to 8 bits and back"),
        ("DequantizeLinear", "to 8 bits and back"),
        ("GridSample", "warps"),
        ("Transpose", "moving data"),
        ("ReorderOutput", "moving data"),
        ("InstanceNormalization", "norms"),
        ("MVN", "norms"),
        ("AvgPool", "smaller and larger"),
        ("Interpolate", "smaller and larger"),
        ("Subgraph", REST),
        ("Mul", REST),
    ],
)
def test_each_kind_has_its_group(kind: str, group: str) -> None:
    assert group_of(kind) == group


def test_every_engine_is_asked_for_all_of_its_time(tmp_path: Path) -> None:
    main(tmp_path, rounds=2)
    result = json.loads((tmp_path / "operators.json").read_text())
    assert [point["case"].split(",")[0] for point in result["points"]] == [
        "onnxruntime", "onnxruntime", "openvino",
    ]  # fmt: skip
    for point in result["points"]:
        groups = point["groups_ms"]
        assert set(groups) <= {*GROUPS, REST}
        assert {"convolutions", "warps"} <= set(groups)
        assert all(value > 0 for value in groups.values())
        assert point["median_ms"] > 0
    assert cv2.imread(str(tmp_path / "operators.png")) is not None


def test_a_preset_without_an_8_bit_generator_is_told_so() -> None:
    with pytest.raises(BadInputError, match="no 8-bit generator of lite"):
        cases(replace(find_weights("lite"), int8=None))
