"""What an exported network takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.engine.interface import ENCODER_INPUTS, FACE, LAYERS
from models.engine.signature import check_signature, heard, silence_for
from shared.errors import BadInputError

PATH = Path("lite-encoder.onnx")


def test_a_network_that_fits_passes() -> None:
    check_signature(PATH, {"reference": LAYERS, "face": FACE}, ENCODER_INPUTS)


@pytest.mark.parametrize(
    "found",
    [
        {"reference": (1, 3, 256, 256), "face": FACE},  # before the layers
        {"reference": LAYERS},
        {"reference": LAYERS, "face": FACE, "audio": (1, 300)},
        {"x": LAYERS, "face": FACE},
    ],
)
def test_another_versions_network_is_refused(found: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(BadInputError, match=r"export it again with `python -m models\.export`"):
        check_signature(PATH, found, ENCODER_INPUTS)


def test_who_has_ears_hears_silence_or_what_was_said() -> None:
    silence = silence_for({"reference": LAYERS, "audio": (1, 300)})
    assert not heard(silence, None)["audio"].any()
    sound = np.arange(300, dtype=np.float32)
    np.testing.assert_array_equal(heard(silence, sound)["audio"], sound[None])


def test_who_has_none_is_given_nothing() -> None:
    assert heard(silence_for({"reference": LAYERS}), np.ones(300, np.float32)) == {}
