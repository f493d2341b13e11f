"""What goes beside a frame's 35 floats."""

from __future__ import annotations

import numpy as np
import pytest

from shared.detail import IRIS_SIZE, MOUTH_SIZE, SWAY_SIZE, Detail


def test_of_nothing_everything_is_zero() -> None:
    sizes = [len(part) for part in Detail.none().parts]
    assert sizes == [SWAY_SIZE, MOUTH_SIZE, IRIS_SIZE]
    assert not any(part.any() for part in Detail.none().parts)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_way_from_one_detail_to_another_is_straight(share: float) -> None:
    random = np.random.default_rng(0)
    one, other = (
        Detail(*(random.normal(size=part.shape).astype(np.float32) for part in Detail.none().parts))
        for _ in range(2)
    )
    for start, end, between in zip(
        one.parts, other.parts, one.towards(other, share).parts, strict=True
    ):
        assert between.dtype == np.float32
        np.testing.assert_allclose(between, (1 - share) * start + share * end, atol=1e-6)
