"""The field of a sway."""

from __future__ import annotations

import numpy as np
import pytest

from shared.detail import SWAY_SIZE, SWAY_WAVES
from shared.sway import still, sway_field


def test_what_stands_still_has_no_field() -> None:
    assert still().shape == (SWAY_SIZE,)
    assert not sway_field(still(), 64).any()


def test_the_first_number_of_each_half_shifts_everything() -> None:
    sway = still()
    sway[0], sway[SWAY_WAVES**2] = 0.1, -0.2
    field = sway_field(sway, 32)
    np.testing.assert_allclose(field[..., 0], 0.1, atol=1e-6)
    np.testing.assert_allclose(field[..., 1], -0.2, atol=1e-6)


def test_down_comes_before_across() -> None:
    down, across = still(), still()
    down[SWAY_WAVES], across[1] = 0.1, 0.1
    assert np.ptp(sway_field(down, 32)[..., 0], axis=1).max() == pytest.approx(0, abs=1e-6)
    assert np.ptp(sway_field(across, 32)[..., 0], axis=0).max() == pytest.approx(0, abs=1e-6)
    top, bottom = sway_field(down, 32)[[0, -1], 0, 0]
    assert top == pytest.approx(-bottom)
    assert top > 0.09


def test_the_field_is_the_same_at_every_size() -> None:
    sway = np.random.default_rng(0).normal(0, 0.02, SWAY_SIZE).astype(np.float32)
    large, small = sway_field(sway, 128), sway_field(sway, 64)
    means = large.reshape(64, 2, 64, 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(means, small, atol=3e-4)
