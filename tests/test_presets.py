"""The generator's presets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.presets import PRESETS, preset
from shared.errors import BadInputError


def test_there_are_three_and_each_knows_its_name() -> None:
    assert set(PRESETS) == {"full", "lite", "lite-audio"}
    assert all(preset(name).name == name for name in PRESETS)


def test_full_is_the_papers() -> None:
    full = preset("full")
    assert full.widths == (32, 128, 512)  # tables 4 and 5
    assert full.flow_blocks == 3
    assert full.stride == 1
    assert full.flow_hidden == 256
    assert full.render_hidden == (256, 256, 256)
    assert not full.residual  # figure 9: without a residual component
    assert not full.displacement
    assert not full.compose
    assert full.discriminator == (64, 4)  # appendix C.2: SPADE's


def test_lite_starts_from_the_mesh_below_full_resolution() -> None:
    lite = preset("lite")
    assert lite.stride == 2
    assert lite.displacement
    assert lite.compose
    assert all(width % 16 == 0 for width in lite.widths)


def test_lite_audio_is_lite_that_hears() -> None:
    assert preset("lite-audio") == replace(preset("lite"), name="lite-audio", audio=300)
    assert preset("lite").audio == preset("full").audio == 0


@pytest.mark.parametrize("name", ["", "Lite", "huge"])
def test_an_unknown_one_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(BadInputError, match=f"no preset '{name}': use one of full, lite"):
        preset(name)
