"""Learning the basis of mouths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.build_mouth import MIN_PICTURES, basis_of, main, open_mouths
from models.tracked import TrackedClips
from shared.detail import MOUTH_SIZE
from shared.errors import BadInputError
from shared.mouth import ACROSS, DOWN, MouthBasis
from tests.faces import face_model, tracked_file


def mouths(count: int, kinds: int, seed: int = 0) -> np.ndarray:
    """Return mouths that vary in a few symmetric ways, (count, 8, 9)."""
    random = np.random.default_rng(seed)
    ways = random.normal(size=(kinds, DOWN, ACROSS))
    ways += ways[:, :, ::-1]
    return (1 + 0.1 * np.tensordot(random.normal(size=(count, kinds)), ways, 1)).astype(np.float32)


def test_few_ways_to_vary_are_found_whole() -> None:
    lights = mouths(200, MOUTH_SIZE)
    made = basis_of(lights, np.arange(200) // 10)
    basis = MouthBasis(made["mean"], made["directions"])
    for light in lights[:20]:
        found = basis.light(basis.numbers(light, opening=1e9))
        np.testing.assert_allclose(found, np.maximum(light, 0), atol=1e-3)


def test_numbers_have_unit_deviation_and_mirrored_mouths_the_same_mean() -> None:
    lights = mouths(500, 3, seed=1)
    made = basis_of(lights, np.arange(500))
    np.testing.assert_allclose(made["mean"], made["mean"][:, ::-1], atol=1e-5)
    basis = MouthBasis(made["mean"], made["directions"])
    numbers = np.array([basis.numbers(light, opening=1e9) for light in lights])
    np.testing.assert_allclose(numbers[:, :3].std(axis=0), 1, atol=0.05)


def test_a_clip_of_many_pictures_does_not_rule() -> None:
    dark, bright = np.full((2, 1, DOWN, ACROSS), [[[[0.2]]], [[[1.0]]]], np.float32)
    lights = np.concatenate([dark] * 100 + [bright])
    owners = np.r_[np.zeros(100, int), 1]
    assert basis_of(lights, owners)["mean"][0, 0] == pytest.approx(0.2 + 0.8 / 11, abs=1e-3)


def test_too_few_open_mouths_are_refused() -> None:
    with pytest.raises(BadInputError, match="open mouth"):
        basis_of(mouths(MIN_PICTURES - 1, 2), np.zeros(MIN_PICTURES - 1, int))


def test_mouths_are_found_in_a_tracked_file_and_learned(tmp_path: Path) -> None:
    path = tracked_file(tmp_path / "tracked.npz", clips=6, photographs=12)
    lights, owners = open_mouths(TrackedClips.load(path), face_model())
    assert lights.shape == (len(owners), DOWN, ACROSS)
    assert np.isfinite(lights).all()
    assert len(lights) >= MIN_PICTURES
    main(path, tmp_path / "mouth.safetensors")
    assert MouthBasis.load(tmp_path / "mouth.safetensors").mean.shape == (DOWN, ACROSS)
