"""The inside of the mouth: how light it is between the lips, as a few numbers.

The face's 35 floats say how far a mouth is open, and the reference, taken with closed lips, shows
nothing of what lies behind them. Teeth, tongue and darkness change with every syllable and differ
from person to person: a network that guesses them paints grey. But as a picture of brightness,
stretched between the lips, the inside of a mouth is simple: a mean and six directions, learned from
some five hundred people (`models.build_mouth`), say most of it. "Eigenlips" (Bregler and Konig,
ICASSP 1994) are the same thing, for reading lips.

The sender measures the numbers (`shared.mouth_meter`); the receiver draws them as the mouth's
colour in the 3-D face image (`shared.face_image`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from shared.detail import MOUTH_LIMIT, MOUTH_SIZE, Floats
from shared.lips import ROWS as LIP_ROWS

UPPER, LOWER = LIP_ROWS[3], LIP_ROWS[4]  # the lips' inner edges, from corner to corner
# Places between the lips where the inside is looked at: from the upper lip to the lower one, and
# from corner to corner, without these.
DOWN, ACROSS = 8, len(UPPER) - 2
# The same with the lips themselves and the corners: what is drawn.
GRID_DOWN, GRID_ACROSS = DOWN + 2, len(UPPER)
GRID_COUNT = GRID_DOWN * GRID_ACROSS
# Of the crop's square: a mouth open by so much counts half, one less open shows its lips only.
HALF_SEEN = 6e-4
_PLACES = (np.arange(DOWN) + 0.5) / DOWN
_ROWS = np.concatenate([[0.0], _PLACES, [1.0]]).astype(np.float32)[:, None, None]


@dataclass(frozen=True)
class MouthBasis:
    """Mean and directions of how light the inside of a mouth is, over the face's mean brightness.

    Attributes:
        mean: shape (8, 9), from the upper lip down, from corner to corner.
        directions: shape (6, 8, 9), one standard deviation of each.
    """

    mean: Floats
    directions: Floats

    @classmethod
    def load(cls, path: Path | None = None) -> MouthBasis:
        """Read a basis, by default the one that is shipped.

        Raises:
            ValueError: the file is damaged or of another kind.
        """
        path = path or Path(str(resources.files("shared") / "assets" / "mouth.safetensors"))
        try:
            arrays = load_file(str(path))
            found = cls(arrays["mean"], arrays["directions"])
        except (OSError, KeyError, SafetensorError) as error:
            raise ValueError(f"{path} cannot be read as a basis of mouths: {error}") from error
        shapes = (found.mean.shape, found.directions.shape)
        if shapes != ((DOWN, ACROSS), (MOUTH_SIZE, DOWN, ACROSS)):
            raise ValueError(f"{path} is the basis of other mouths: {shapes}")
        return found

    def light(self, mouth: Floats) -> Floats:
        """Return how light a mouth's inside is, over the face's brightness, shape (8, 9), >= 0.

        Args:
            mouth: shape (6,), standard deviations.
        """
        light = self.mean + np.tensordot(mouth, self.directions, axes=1)
        return np.asarray(np.maximum(light, 0), np.float32)

    def numbers(self, light: Floats, opening: float) -> Floats:
        """Return the numbers of a mouth, shape (6,), nearer to 0 the less it is open.

        Args:
            light: what `light` returns, as measured.
            opening: its area, share of the crop's square.
        """
        flat = self.directions.reshape(MOUTH_SIZE, -1)
        found = flat @ (light - self.mean).ravel() / np.square(flat).sum(axis=1)
        seen = opening / (opening + HALF_SEEN)
        return np.asarray((seen * found).clip(-MOUTH_LIMIT, MOUTH_LIMIT), np.float32)


def unseen() -> Floats:
    """Return the numbers of a mouth of which nothing is seen, shape (6,): the mean one's."""
    return np.zeros(MOUTH_SIZE, np.float32)


@lru_cache
def mouth_basis() -> MouthBasis:
    """Return the basis that is shipped, read once."""
    return MouthBasis.load()


def mouth_grid(points: Floats) -> Floats:
    """Return vertices between the lips, shape (110, 3): ten rows down, each from corner to corner.

    Args:
        points: of a face, shape (478 or more, 3), in any unit.
    """
    upper, lower = points[list(UPPER)], points[list(LOWER)]
    return np.asarray(upper + _ROWS * (lower - upper), np.float32).reshape(GRID_COUNT, 3)


def inside(grid: Floats) -> Floats:
    """Return the places of a grid that are looked at, shape (8, 9, 3)."""
    return grid.reshape(GRID_DOWN, GRID_ACROSS, 3)[1:-1, 1:-1]


def opening_of(grid: Floats) -> float:
    """Return a mouth's area, in squares of the unit that its grid is in."""
    rows = grid.reshape(GRID_DOWN, GRID_ACROSS, 3)[..., :2]
    upper, lower = rows[0], rows[-1]
    # Of the four-sided pieces between neighbouring places of the lips: their diagonals' product.
    (x, y), (u, v) = (lower[1:] - upper[:-1]).T, (lower[:-1] - upper[1:]).T
    return abs(float((x * v - y * u).sum())) / 2


def over_grid(light: Floats) -> Floats:
    """Return a value for each of a grid's vertices, shape (110,): lips and corners as beside."""
    return np.pad(light, 1, mode="edge").ravel()


def grid_triangles() -> npt.NDArray[np.int32]:
    """Return a grid's triangles, shape (T, 3), indices into its vertices."""
    corner = np.arange(GRID_COUNT).reshape(GRID_DOWN, GRID_ACROSS)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    halves = [np.stack([a, b, c], axis=-1), np.stack([b, d, c], axis=-1)]
    return np.concatenate([half.reshape(-1, 3) for half in halves]).astype(np.int32)
