"""What a picture shows beside the fit: numbers that go with a frame's 35 floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SWAY_WAVES = 4  # cosines down and across, for x and for y (`shared.sway`)
SWAY_SIZE = 2 * SWAY_WAVES**2
MOUTH_SIZE = 6  # directions of the mouth's inside (`shared.mouth`)
IRIS_SIZE = 2  # how light and how blue the irises are (`shared.iris`)

# A peer that sends more is broken or hostile.
SWAY_LIMIT = 0.25  # crop sides
MOUTH_LIMIT = 8.0  # standard deviations
IRIS_LIMIT = 6.0  # likewise


@dataclass(frozen=True, slots=True)
class Detail:
    """What a frame shows beside its fit.

    Attributes:
        sway: how hair and shoulders move beside the 35 floats, shape (32,), crop sides
            (`shared.sway`).
        mouth: how light the inside of the mouth is, shape (6,), standard deviations
            (`shared.mouth`).
        iris: how light and how blue the irises are, shape (2,), standard deviations
            (`shared.iris`).
    """

    sway: Floats
    mouth: Floats
    iris: Floats

    @classmethod
    def none(cls) -> Self:
        """Return the detail of a frame of which nothing beside its fit is known."""
        return cls(*(np.zeros(n, np.float32) for n in (SWAY_SIZE, MOUTH_SIZE, IRIS_SIZE)))

    @property
    def parts(self) -> tuple[Floats, Floats, Floats]:
        """Sway, mouth and iris, in the order in which they are sent."""
        return self.sway, self.mouth, self.iris

    def towards(self, other: Self, share: float) -> Self:
        """Return the detail on the straight line to another, at a share of the way."""
        return type(self)(
            *(
                start + np.float32(share) * (end - start)
                for start, end in zip(self.parts, other.parts, strict=True)
            )
        )
