"""Making shared/assets/wire-v6.json: quantiser steps and priors from tracked training clips.

    python -m models.build_wire_table build/tracked-train.npz

Frames are fitted and filtered as the sender does; every clip has the same weight.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from models.tracked import TrackedClips
from shared.command import run_command
from shared.detail import IRIS_SIZE, MOUTH_SIZE, SWAY_WAVES
from shared.detail_meter import IRIS_MOVED, MOUTH_MOVED, SWAY_MOVED
from shared.face_model import FaceModel
from shared.gate import Gate
from shared.gated_filter import GatedFilter
from shared.params import EXPRESSION_SIZE, PARAMS_SIZE, Params
from shared.wire import FRAME_MS, between
from shared.wire_table import (
    DELTA_CLASSES,
    LEAST_SHARE,
    POWERS,
    WIRE_VERSION,
    Levels,
    Limits,
    Prior,
    face_limits,
    iris_limits,
    level_range,
    mouth_limits,
    sway_limits,
)

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]

# Point error that rounding adds, share of the eye distance RMS; with the dead zone's the promise of
# 0.003 is kept.
TARGET_ERROR = 0.0028
# Crop sides, of a motion that is everywhere the same. Twice as much costs the picture 0.15 dB, and
# half as much brings 0.02: shoulders have fine patterns. A cosine moves less, see `sway_steps`.
SWAY_STEP = 0.0008
MOUTH_STEP = 0.3  # standard deviations: a few levels of brightness
IRIS_STEP = 0.2  # likewise
COARSE = 3.0  # width of the coarse steps in fine ones
PACKET_FRAMES = (1, 3, 7)  # sizes of packets that differences are counted in
KEY_REACH = 9  # frames from a key to the last packet that builds on it, at most
CLIP_FRAMES = 50  # shorter clips and photographs show no motion
# Depth of the whole head orders nothing within one face: one level covers what tracking gives.
DEPTH_STEP = 0.02
ROUNDS = 5
SAMPLED_FRAMES = 400


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each level occurs: `levels` and their weights, which sum to 1."""

    levels: Array
    weights: Array

    @classmethod
    def of(cls, values: Levels, weights: Array) -> Counts:
        """Count integer values with a weight each."""
        levels, inverse = np.unique(values, return_inverse=True)
        sums = np.bincount(inverse, weights=weights)
        return cls(levels.astype(np.float64), sums / sums.sum())


def point_effects(model: FaceModel, params: Array) -> Array:
    """Return how far one unit of each of the 35 numbers moves the points.

    Args:
        model: the face model.
        params: shape (N, 35); the effect is taken at their median.

    Returns:
        Shape (35,), RMS over the points in eye distances per unit.
    """
    identity = np.zeros(len(model.identity), np.float32)
    centre = np.median(params, axis=0)
    base = model.points(identity, Params.from_vector(centre))
    effects = np.empty(PARAMS_SIZE)
    for index in range(PARAMS_SIZE):
        moved, nudge = centre.copy(), 0.01
        moved[index] += nudge
        shift = model.points(identity, Params.from_vector(moved)) - base
        effects[index] = np.sqrt((shift**2).sum(axis=1).mean()) / nudge
    return np.asarray(effects / np.exp(centre[EXPRESSION_SIZE]))


def added_error(model: FaceModel, params: Array, centres: Array, steps: Array) -> float:
    """Return the RMS point error that quantising adds, in eye distances."""
    identity = np.zeros(len(model.identity), np.float32)
    squares = []
    for row in params[:: max(1, len(params) // SAMPLED_FRAMES)]:
        sent = centres + np.rint((row - centres) / steps) * steps
        shift = model.points(identity, Params.from_vector(sent)) - model.points(
            identity, Params.from_vector(row)
        )
        squares.append((shift**2).sum(axis=1).mean() / np.exp(2 * row[EXPRESSION_SIZE]))
    return float(np.sqrt(np.mean(squares)))


def choose_steps(model: FaceModel, params: Array, centres: Array) -> Array:
    """Return steps with which every number adds the same point error, TARGET_ERROR in all."""
    effects = point_effects(model, params)
    scale = TARGET_ERROR * np.sqrt(12 / PARAMS_SIZE)
    for _ in range(4):
        steps = scale / effects
        steps[-1] = DEPTH_STEP
        scale *= TARGET_ERROR / added_error(model, params, centres, steps)
    steps = scale / effects
    steps[-1] = DEPTH_STEP
    return _rounded(steps)


def cost(prior: Prior, counts: Counts, low: int, high: int) -> float:
    """Return the mean bits a level costs under a prior."""
    weights = prior.weights(low, high)
    chosen = weights[counts.levels.astype(np.int64) - low] / weights.sum()
    # The coder gives no level less than 2**-24.
    return float(-(counts.weights * np.log2(np.maximum(chosen, LEAST_SHARE))).sum())


def fit_prior(counts: Counts, low: int, high: int, centred: bool) -> Prior:
    """Return the prior under which the counted levels cost least.

    Args:
        counts: what occurred.
        low: smallest level.
        high: largest level.
        centred: keep the likeliest level at 0.
    """
    mean = 0.0 if centred else float((counts.weights * counts.levels).sum())
    spread = float(np.sqrt((counts.weights * (counts.levels - mean) ** 2).sum())) + 0.05
    mean = float(f"{mean:.4g}")
    candidates = [
        Prior(mean, float(f"{spread * factor * np.sqrt(2 * power):.4g}"), power)
        for power in POWERS
        for factor in np.geomspace(0.15, 2.0, 30)
    ]
    return min(candidates, key=lambda prior: cost(prior, counts, low, high))


def bits_of(deltas: Levels, priors: list[Prior], spans: Levels) -> Array:
    """Return the bits each row of level differences (N, 35) costs."""
    total = np.zeros(len(deltas))
    for index, (prior, span) in enumerate(zip(priors, spans, strict=True)):
        weights = prior.weights(int(-span), int(span))
        share = weights[deltas[:, index] + span] / weights.sum()
        total -= np.log2(np.maximum(share, LEAST_SHARE))
    return total


def fit_classes(deltas: Levels, weights: Array, spans: Levels) -> list[list[Prior]]:
    """Return the priors of each class of motion: cluster, fit, and assign to the cheapest."""
    motion = np.abs(deltas).sum(axis=1)
    edges = np.quantile(motion, np.linspace(0, 1, DELTA_CLASSES + 1)[1:-1])
    member = np.searchsorted(edges, motion)
    for turn in range(ROUNDS):
        classes = [
            [
                fit_prior(
                    Counts.of(deltas[member == kind, index], weights[member == kind]),
                    int(-span),
                    int(span),
                    centred=True,
                )
                for index, span in enumerate(spans)
            ]
            for kind in range(DELTA_CLASSES)
        ]
        bits = np.stack([bits_of(deltas, priors, spans) for priors in classes])
        member = bits.argmin(axis=0)
        log.info(
            "round %d: %.1f bits a delta", turn, float(np.average(bits.min(0), weights=weights))
        )
    return classes


@dataclass(frozen=True, slots=True)
class Differences:
    """Level differences as packets hold them, and the row of the frame that each belongs to."""

    levels: Levels
    rows: npt.NDArray[np.int64]

    @classmethod
    def gather(cls, parts: list[tuple[Levels, npt.NDArray[np.int64]]]) -> Differences:
        """Put the differences of many packets together."""
        levels, rows = zip(*parts, strict=True)
        return cls(np.concatenate(levels), np.concatenate(rows))


def key_differences(levels: Levels, clip: npt.NDArray[np.integer]) -> Differences:
    """Return the differences of frames to others at most KEY_REACH away."""
    rows, parts = np.arange(len(levels)), []
    for distance in range(1, KEY_REACH + 1):
        same = clip[distance:] == clip[:-distance]
        parts.append(((levels[distance:] - levels[:-distance])[same], rows[distance:][same]))
    return Differences.gather(parts)


def mean_differences(levels: Levels, clip: npt.NDArray[np.integer]) -> Differences:
    """Return the differences of frames to the mean of their neighbours in packets."""
    parts = []
    for count in PACKET_FRAMES:
        starts = np.arange(0, len(levels) - count + 1, count)
        starts = starts[clip[starts] == clip[starts + count - 1]]
        for middle, before, after in between(0, count - 1):
            mean = (levels[starts + before] + levels[starts + after]) // 2
            parts.append((levels[starts + middle] - mean, starts + middle))
    return Differences.gather(parts)


def build(
    params: Array, detail: Sequence[Array], clip: npt.NDArray[np.integer], model: FaceModel
) -> dict[str, object]:
    """Return the table as JSON's types.

    Args:
        params: shape (N, 35), training frames as fitted, every frame of a clip in order.
        detail: the same frames' sways, shape (N, 32), mouths, (N, 6), and irises, (N, 2).
        clip: shape (N,), which clip each belongs to.
        model: the face model they were fitted with.
    """
    centres = np.zeros(PARAMS_SIZE)
    centres[EXPRESSION_SIZE:] = np.round(np.median(params[:, EXPRESSION_SIZE:], axis=0), 3)
    fine = choose_steps(model, params, centres)
    params = smoothed(model, params, clip, fine)
    kinds = (
        ("sway", sway_steps(), SWAY_MOVED, sway_limits()),
        ("mouth", np.full(MOUTH_SIZE, MOUTH_STEP), MOUTH_MOVED, mouth_limits()),
        ("iris", np.full(IRIS_SIZE, IRIS_STEP), IRIS_MOVED, iris_limits()),
    )
    details = {
        part: (gated(values, steps, clip, moved), steps, limits)
        for values, (part, steps, moved, limits) in zip(detail, kinds, strict=True)
    }
    table: dict[str, object] = {"version": WIRE_VERSION}
    for name, width in (("fine", 1.0), ("coarse", COARSE)):
        steps = _rounded(width * fine)
        parts = {"face": _part(params, clip, centres, steps, face_limits(), between=True)}
        for part, (values, own, limits) in details.items():
            zeros, steps = np.zeros(len(own)), _rounded(width * own)
            parts[part] = _part(values, clip, zeros, steps, limits, between=False)
        table[name] = parts
    return table


def sway_steps() -> Array:
    """Return the steps of a sway's numbers, shape (32,): each adds the same error on average."""
    energies = np.where(np.arange(SWAY_WAVES) > 0, 0.5, 1.0)  # of a cosine, and of what is constant
    return np.tile(SWAY_STEP / np.sqrt(np.outer(energies, energies)).ravel(), 2)


def _rounded(steps: Array) -> Array:
    return np.array([float(f"{step:.4g}") for step in steps])


def _part(
    values: Array,
    clip: npt.NDArray[np.integer],
    centres: Array,
    steps: Array,
    limits: Limits,
    between: bool,
) -> dict[str, object]:
    weights = 1.0 / np.bincount(clip)[clip]
    low, high = level_range(centres, steps, limits)
    levels = np.rint((values - centres) / steps).astype(np.int64).clip(low, high)
    key = [
        fit_prior(Counts.of(levels[:, i], weights), int(low[i]), int(high[i]), centred=False)
        for i in range(len(steps))
    ]
    part: dict[str, object] = {
        "centres": centres.tolist(),
        "steps": steps.tolist(),
        "key": [astuple(prior) for prior in key],
    }
    kinds = {"delta": key_differences(levels, clip)}
    if between:
        kinds["between"] = mean_differences(levels, clip)
    for name, found in kinds.items():
        log.info("%s: %d differences", name, len(found.levels))
        classes = fit_classes(found.levels, weights[found.rows], high - low)
        part[name] = [[astuple(prior) for prior in priors] for priors in classes]
    return part


def smoothed(model: FaceModel, params: Array, clip: npt.NDArray[np.integer], steps: Array) -> Array:
    """Return the parameters as the sender's filter leaves them."""
    rows = []
    for number in np.unique(clip):
        own = GatedFilter(model, steps)
        for place, row in enumerate(params[clip == number]):
            rows.append(own.apply(Params.from_vector(row), place * FRAME_MS).to_vector())
    return np.array(rows, np.float64)


def gated(values: Array, steps: Array, clip: npt.NDArray[np.integer], moved_steps: float) -> Array:
    """Return a part of the detail as the sender's gate leaves it."""
    rows = []
    for number in np.unique(clip):
        gate = Gate(moved_steps=moved_steps)
        for place, row in enumerate(values[clip == number] / steps):
            rows.append(gate.apply(row, place * FRAME_MS) * steps)
    return np.array(rows, np.float64)


def fitted(
    clips: TrackedClips, model: FaceModel
) -> tuple[Array, tuple[Array, ...], npt.NDArray[np.int64]]:
    """Return parameters and detail of every frame of every clip, and the clip of each."""
    rows, kept, owners = [], [], []
    for number in range(len(clips.names)):
        own = clips.points[clips.clip == number]
        if len(own) < CLIP_FRAMES:
            continue
        identity = model.calibrate(own[0])
        rows += [model.fit(points, identity).to_vector() for points in own]
        kept.append(clips.clip == number)
        owners += [number] * len(own)
    return (
        np.array(rows, np.float64),
        tuple(
            np.concatenate([part[own] for own in kept]).astype(np.float64)
            for part in (clips.sways, clips.mouths, clips.irises)
        ),
        np.array(owners, np.int64),
    )


def main(
    tracked: Annotated[Path, typer.Argument(help="File of models.prepare.")],
    out: Annotated[Path, typer.Option(help="Where the table goes")] = Path(
        f"shared/assets/wire-v{WIRE_VERSION}.json"
    ),
) -> None:
    """Make the table of wire steps and priors from tracked clips."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model = FaceModel.load()
    table = build(*fitted(TrackedClips.load(tracked), model), model)
    lines = [f'  "{name}": {json.dumps(value)}' for name, value in table.items()]
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
