"""The generator's sizes: one definition, and its presets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.errors import BadInputError
from shared.sound_features import FEATURES


@dataclass(frozen=True, slots=True)
class Preset:
    """The shape of a generator.

    Attributes:
        name: what the command line calls it.
        widths: channels of the three feature scales, finest first.
        stride: the finest scale's side is 256 / stride pixels.
        flow_blocks: SPADE blocks of the flow network at its coarsest scale.
        flow_hidden: SPADE's hidden width in the flow network.
        render_hidden: SPADE's hidden widths in the rendering network, coarsest scale first.
        residual: whether SPADE blocks have a residual connection.
        displacement: whether the flow starts from the mesh displacement (gate and residual).
        compose: whether the warped reference and the painted picture are mixed by a mask.
        discriminator: width of the first layer and number of layers of the discriminators it is
            trained against.
        audio: length of the audio feature vector; 0 leaves the AdaIN blocks out.
    """

    name: str
    widths: tuple[int, int, int]
    stride: int
    flow_blocks: int
    flow_hidden: int
    render_hidden: tuple[int, int, int]
    residual: bool
    displacement: bool
    compose: bool
    discriminator: tuple[int, int]
    audio: int = 0


PRESETS = {
    # Tables 4 and 5; SPADE's hidden width from the authors' published settings.
    "full": Preset(
        "full", (32, 128, 512), 1, 3, 256, (256, 256, 256),
        residual=False, displacement=False, compose=False, discriminator=(64, 4),
    ),
    # Multiples of 16 channels: ONNX Runtime's blocked convolutions need them.
    "lite": Preset(
        "lite", (16, 32, 80), 2, 2, 32, (32, 32, 16),
        residual=True, displacement=True, compose=True, discriminator=(16, 4),
    ),
}  # fmt: skip
# What `lite` says about a face, and what was spoken with it.
PRESETS["lite-audio"] = replace(PRESETS["lite"], name="lite-audio", audio=FEATURES)


def preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        BadInputError: there is none of that name.
    """
    if name not in PRESETS:
        raise BadInputError(f"there is no preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
