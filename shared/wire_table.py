"""The committed table behind frame packets: how finely each number is sent and how often it varies.

``shared/assets/wire-v6.json`` is made by ``models.build_wire_table`` from fitted training clips.
Changing it changes the bytes of a packet, so a changed table is a new wire version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from shared.detail import (
    IRIS_LIMIT,
    IRIS_SIZE,
    MOUTH_LIMIT,
    MOUTH_SIZE,
    SWAY_LIMIT,
    SWAY_SIZE,
)
from shared.params import (
    EXPRESSION_LIMIT,
    EXPRESSION_SIZE,
    LOG_SCALE_LIMITS,
    PARAMS_SIZE,
    ROTATION_LIMIT,
    TRANSLATION_LIMIT,
)

WIRE_VERSION = 6
DELTA_CLASSES = 4
# A difference counts as none up to this share of a step: a tenth fewer bits for a tenth more error.
DEAD_ZONE = 0.6
LEAST_SHARE = 2.0**-24  # the coder gives no level less
# What a 24-bit coder can tell apart; a table of more levels would only fill memory.
LEVELS_LIMIT = 1 << 16
POWERS = (1, 2, 4, 8, 16)
LEAST_WIDTH = 1e-3  # of a prior, levels; a narrower one's tails are no numbers

Levels = npt.NDArray[np.int64]
Limits = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # smallest and largest values
Model = Any  # constriction ships no types


@dataclass(frozen=True, slots=True)
class Prior:
    """How one quantised number is distributed: a bell with heavy tails.

    The weight of level k is ``(1 + ((k - centre) / width)**2) ** -power``: Student's t. It needs
    only operations that IEEE 754 rounds exactly, so both ends get the same bits on any machine,
    which no library's exp or erf promises.

    Attributes:
        centre: the likeliest level.
        width: levels, positive.
        power: 1, 2, 4, 8 or 16; more is closer to a normal distribution.
    """

    centre: float
    width: float
    power: int

    @classmethod
    def read(cls, fields: Any) -> Prior:
        """Return the prior of three fields of a file.

        Raises:
            ValueError: it is none.
        """
        centre, width, power = fields
        if not (abs(centre) <= LEVELS_LIMIT and LEAST_WIDTH <= width <= LEVELS_LIMIT):
            raise ValueError(f"the wire table has a prior of centre {centre} and width {width}")
        if power not in POWERS:
            raise ValueError(f"the wire table has a prior of power {power}")
        return cls(centre, width, power)

    def weights(self, low: int, high: int) -> npt.NDArray[np.float64]:
        """Return the unnormalised weights of the levels from ``low`` to ``high``."""
        distance = (np.arange(low, high + 1, dtype=np.float64) - self.centre) / self.width
        base = 1.0 + distance * distance
        for _ in range(self.power.bit_length() - 1):
            base = base * base
        return np.asarray(1.0 / base, np.float64)


@dataclass(frozen=True, slots=True)
class Width:
    """The priors of the differences of one class of motion.

    Attributes:
        models: an entropy model for each number.
        bits: for each of them, what every symbol costs.
    """

    models: tuple[Model, ...]
    bits: tuple[npt.NDArray[np.float64], ...]

    def cost(self, symbols: Levels) -> float:
        """Return the bits that a frame's symbols cost."""
        return float(sum(bits[symbol] for bits, symbol in zip(self.bits, symbols, strict=True)))


@dataclass(frozen=True, slots=True)
class WireTable:
    """Quantiser and priors of a frame's N numbers: the face's 35, or those of a part of the detail.

    Attributes:
        centres: shape (N,), the value of level 0.
        steps: shape (N,), the distance of two levels, in the unit of each number.
        low: shape (N,), smallest level that stays inside the limits of ``shared.params``.
        high: shape (N,), largest one.
        key: N entropy models of levels, counted from ``low``.
        delta: for each class of motion, the priors of the differences to another frame, counted
            from ``low - high``.
        between: likewise, of the differences to the mean of two frames; none for the detail.
    """

    centres: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    low: Levels
    high: Levels
    key: tuple[Model, ...]
    delta: tuple[Width, ...]
    between: tuple[Width, ...]

    @classmethod
    def read(cls, data: Any, limits: Limits, between: bool) -> WireTable:
        """Return the table of a part of the file, with its entropy models made.

        Args:
            data: the part.
            limits: of each number.
            between: whether frames between two others are coded.

        Raises:
            ValueError, TypeError, LookupError, ArithmeticError: it is none.
        """
        centres = np.array(data["centres"], np.float64)
        steps = np.array(data["steps"], np.float64)
        if centres.shape != limits[0].shape or steps.shape != limits[0].shape:
            raise ValueError("the wire table does not describe 35, 32, 6 and 2 numbers")
        low, high = level_range(centres, steps, limits)
        if (high - low > LEVELS_LIMIT).any():
            raise ValueError("the wire table has steps too fine to be one")
        key = [Prior.read(prior) for prior in data["key"]]
        return cls(
            centres,
            steps,
            low,
            high,
            tuple(_model(p, a, b) for p, a, b in zip(key, low, high, strict=True)),
            _widths(data["delta"], high - low),
            _widths(data["between"], high - low) if between else (),
        )

    @property
    def span(self) -> Levels:
        """The largest difference of two levels of each number, shape (N,)."""
        return self.high - self.low

    def positions(self, values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Return where values lie between the levels, shape (N,)."""
        return (values.astype(np.float64) - self.centres) / self.steps

    def nearest(self, positions: npt.NDArray[np.float64]) -> Levels:
        """Return the levels nearest to positions, inside the limits."""
        return np.clip(np.rint(positions).astype(np.int64), self.low, self.high)

    def near(self, positions: npt.NDArray[np.float64], predicted: Levels) -> Levels:
        """Return levels near positions, the predicted ones where these are near enough."""
        away = positions - predicted
        moved = np.sign(away) * np.floor(np.abs(away) + 1 - DEAD_ZONE)
        return np.clip(predicted + moved.astype(np.int64), self.low, self.high)

    def values(self, levels: Levels) -> npt.NDArray[np.float32]:
        """Return the values that levels stand for."""
        return (self.centres + levels * self.steps).astype(np.float32)


@dataclass(frozen=True, slots=True)
class WireTables:
    """The tables of a packet's parts.

    Attributes:
        face: of the 35 floats.
        sway: of the sway's 32.
        mouth: of the mouth's 6.
        iris: of the irises' 2.
    """

    face: WireTable
    sway: WireTable
    mouth: WireTable
    iris: WireTable

    @property
    def detail(self) -> tuple[WireTable, WireTable, WireTable]:
        """Those of a detail's parts, in the order of `Detail.parts`."""
        return self.sway, self.mouth, self.iris

    @classmethod
    def parse(cls, text: str, coarse: bool = False) -> WireTables:
        """Return the fine or the coarse tables written by ``models.build_wire_table``.

        Raises:
            ValueError: they are damaged, or of another version.
        """
        try:
            whole = json.loads(text)
            if whole["version"] != WIRE_VERSION:
                raise ValueError(
                    f"the wire table has version {whole['version']}, not {WIRE_VERSION}"
                )
            data = whole["coarse" if coarse else "fine"]
            return cls(
                WireTable.read(data["face"], face_limits(), between=True),
                WireTable.read(data["sway"], sway_limits(), between=False),
                WireTable.read(data["mouth"], mouth_limits(), between=False),
                WireTable.read(data["iris"], iris_limits(), between=False),
            )
        except (TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"the wire table is damaged: {error!r}") from error


@lru_cache
def wire_tables(coarse: bool = False) -> WireTables:
    """Return the committed tables, fine or coarse, read once."""
    asset = resources.files("shared") / "assets" / f"wire-v{WIRE_VERSION}.json"
    return WireTables.parse(asset.read_text(encoding="utf-8"), coarse)


def wire_table(coarse: bool = False) -> WireTable:
    """Return the committed table of the 35 floats."""
    return wire_tables(coarse).face


def face_limits() -> Limits:
    """Return the smallest and largest value of each of the 35 floats, shape (35,) each."""
    bottom = np.full(PARAMS_SIZE, -EXPRESSION_LIMIT)
    top = np.full(PARAMS_SIZE, EXPRESSION_LIMIT)
    camera = EXPRESSION_SIZE
    bottom[camera], top[camera] = LOG_SCALE_LIMITS
    bottom[camera + 1 : camera + 4], top[camera + 1 : camera + 4] = -ROTATION_LIMIT, ROTATION_LIMIT
    bottom[camera + 4 :], top[camera + 4 :] = -TRANSLATION_LIMIT, TRANSLATION_LIMIT
    return bottom, top


def sway_limits() -> Limits:
    """Return the smallest and largest value of each number of a sway, shape (32,) each."""
    return np.full(SWAY_SIZE, -SWAY_LIMIT), np.full(SWAY_SIZE, SWAY_LIMIT)


def mouth_limits() -> Limits:
    """Return the smallest and largest value of each number of a mouth, shape (6,) each."""
    return np.full(MOUTH_SIZE, -MOUTH_LIMIT), np.full(MOUTH_SIZE, MOUTH_LIMIT)


def iris_limits() -> Limits:
    """Return the smallest and largest value of each number of the irises, shape (2,) each."""
    return np.full(IRIS_SIZE, -IRIS_LIMIT), np.full(IRIS_SIZE, IRIS_LIMIT)


def level_range(
    centres: npt.NDArray[np.float64], steps: npt.NDArray[np.float64], limits: Limits
) -> tuple[Levels, Levels]:
    """Return the smallest and largest level of each number inside its limits."""
    bottom, top = limits
    # One level inside, so that rounding to float32 cannot step over a limit.
    low = np.floor((bottom - centres) / steps).astype(np.int64) + 1
    high = np.ceil((top - centres) / steps).astype(np.int64) - 1
    return low, high


def _widths(classes: Any, spans: Levels) -> tuple[Width, ...]:
    if len(classes) != DELTA_CLASSES:
        raise ValueError("the wire table has another number of classes")
    return tuple(_width([Prior.read(prior) for prior in priors], spans) for priors in classes)


def _width(priors: list[Prior], spans: Levels) -> Width:
    models, bits = [], []
    for prior, span in zip(priors, spans, strict=True):
        weights = prior.weights(-int(span), int(span))
        models.append(_model(prior, -int(span), int(span)))
        bits.append(-np.log2(np.maximum(weights / weights.sum(), LEAST_SHARE)))
    return Width(tuple(models), tuple(bits))


def _model(prior: Prior, low: int, high: int) -> Model:
    weights = prior.weights(int(low), int(high))
    return constriction.stream.model.Categorical(weights, perfect=False, lazy=False)
