"""The committed table, and the tool that makes it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.build_wire_table import (
    CLIP_FRAMES,
    Counts,
    added_error,
    build,
    cost,
    fit_prior,
    fitted,
)
from models.prepare import Tracked, save
from models.tracked import TrackedClips
from shared.detail import (
    IRIS_LIMIT,
    IRIS_SIZE,
    MOUTH_LIMIT,
    MOUTH_SIZE,
    SWAY_LIMIT,
    SWAY_SIZE,
    SWAY_WAVES,
)
from shared.face_model import FaceModel
from shared.params import PARAMS_SIZE, Params
from shared.wire_coder import Coded, pack
from shared.wire_table import Prior, WireTables, wire_table, wire_tables
from tests.faces import face_model, person, posed
from tests.sending import irises, mouths, sways, track


@pytest.mark.parametrize("coarse", [False, True])
def test_the_committed_table_covers_every_legal_value(coarse: bool) -> None:
    table = wire_table(coarse)
    assert (table.low < table.high).all()
    for levels in (table.low, table.high):
        values = table.values(levels)
        Params.from_vector(values)
        assert (table.nearest(table.positions(values)) == levels).all()


@pytest.mark.parametrize("coarse", [False, True])
def test_every_legal_detail_has_a_level(coarse: bool) -> None:
    limits = SWAY_LIMIT, MOUTH_LIMIT, IRIS_LIMIT
    for table, limit in zip(wire_tables(coarse).detail, limits, strict=True):
        for levels in (table.low, table.high):
            assert (np.abs(table.values(levels)) <= limit).all()
            assert (table.nearest(table.positions(table.values(levels))) == levels).all()


def test_cosines_that_move_less_have_wider_steps() -> None:
    steps = (
        wire_tables().sway.steps.reshape(2, SWAY_WAVES, SWAY_WAVES) / wire_tables().sway.steps[0]
    )
    np.testing.assert_allclose(steps[:, 0, 0], 1)
    np.testing.assert_allclose(steps[:, 0, 1:], np.sqrt(2), rtol=1e-3)
    np.testing.assert_allclose(steps[:, 1:, 1:], 2, rtol=1e-3)


@pytest.mark.parametrize("part", ["sway", "mouth", "iris"])
def test_a_table_without_a_part_of_the_detail_is_refused(part: str) -> None:
    text = (resources.files("shared") / "assets" / "wire-v6.json").read_text("utf-8")
    data = json.loads(text)
    data["fine"][part]["steps"].pop()
    with pytest.raises(ValueError, match="35, 32, 6 and 2"):
        WireTables.parse(json.dumps(data))


def test_coarse_steps_are_three_times_as_wide() -> None:
    np.testing.assert_allclose(wire_table(True).steps / wire_table().steps, 3, rtol=1e-3)


def test_a_table_of_another_version_is_refused() -> None:
    text = (resources.files("shared") / "assets" / "wire-v6.json").read_text("utf-8")
    data = json.loads(text)
    data["version"] = 1
    with pytest.raises(ValueError, match="version 1"):
        WireTables.parse(json.dumps(data))


@pytest.mark.parametrize(
    "prior",
    [[0, 1.0, 116], [0, 1.0, 2.5], [0, 0.0, 2], [0, -1.0, 2], [0, float("nan"), 2],
     [1e9, 1.0, 2], [float("inf"), 1.0, 2], [0, 1.0], ["0", 1.0, 2]],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["key", "delta", "between"])
def test_a_prior_that_is_none_is_refused(kind: str, prior: list[float]) -> None:
    text = (resources.files("shared") / "assets" / "wire-v6.json").read_text("utf-8")
    data = json.loads(text)
    face = data["fine"]["face"]
    (face["key"] if kind == "key" else face[kind][1])[3] = prior
    with pytest.raises(ValueError, match=r"wire table|unpack"):
        WireTables.parse(json.dumps(data))


@pytest.mark.parametrize(
    ("position", "level"), [(0.0, 0), (0.59, 0), (-0.59, 0), (0.61, 1), (1.59, 1), (-1.61, -2)]
)
def test_near_the_predicted_level_nothing_changes(position: float, level: int) -> None:
    table = wire_table()
    start = np.full(PARAMS_SIZE, 3, np.int64).clip(table.low, table.high)
    found = table.near(start + np.full(PARAMS_SIZE, position), start)
    assert (found == start + level).all()


def test_the_cost_of_symbols_is_what_the_coder_needs() -> None:
    table = wire_table()
    random = np.random.default_rng(2)
    rows = [table.span + random.integers(-2, 3, PARAMS_SIZE) for _ in range(50)]
    for width in (*table.delta, *table.between):
        bits = sum(width.cost(row) for row in rows)
        size = len(pack([Coded(width.models, row) for row in rows])) * 8
        assert size == pytest.approx(bits, rel=0.02, abs=16)


@given(st.floats(-5, 5), st.floats(0.01, 50), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_prior_is_positive_and_falls_with_distance(
    centre: float, width: float, power: int
) -> None:
    weights = Prior(centre, width, power).weights(-20, 20)
    distance = np.abs(np.arange(-20, 21) - centre)
    assert (weights > 0).all()
    assert (np.diff(weights[np.argsort(distance)]) <= 1e-12).all()


def test_a_fitted_prior_costs_little_more_than_the_entropy() -> None:
    values = np.round(np.random.default_rng(1).normal(3, 6, 20_000)).astype(np.int64)
    counts = Counts.of(values, np.ones(len(values)))
    entropy = float(-(counts.weights * np.log2(counts.weights)).sum())
    prior = fit_prior(counts, -200, 200, centred=False)
    assert entropy <= cost(prior, counts, -200, 200) < entropy + 0.1


def test_a_table_is_built_from_any_tracks_and_keeps_its_error() -> None:
    params = np.stack([p.to_vector() for seed in range(3) for p in track(60, seed)]).astype(float)
    model = FaceModel.load()
    detail = [
        np.concatenate([own(60, seed) for seed in range(3)]).astype(float)
        for own in (sways, mouths, irises)
    ]
    made = json.dumps(build(params, detail, np.repeat(np.arange(3), 60), model))
    tables = WireTables.parse(made)
    table = tables.face
    assert tables.sway.steps.shape == (SWAY_SIZE,)
    assert tables.mouth.steps.shape == (MOUTH_SIZE,)
    assert tables.iris.steps.shape == (IRIS_SIZE,)
    assert table.steps.shape == (PARAMS_SIZE,)
    assert added_error(model, params, table.centres, table.steps) < 0.003
    assert (WireTables.parse(made, coarse=True).face.steps > table.steps).all()


def test_frames_are_fitted_clip_by_clip_as_the_sender_would(tmp_path: Path) -> None:
    random, items = np.random.default_rng(0), []
    for number, length in enumerate((CLIP_FRAMES, 3)):
        item, identity = Tracked(f"clip-{number}"), person(random)
        item.points = [face_model().points(identity, posed(random)) for _ in range(length)]
        item.times = [*range(length)]
        items.append(item)
    save(tmp_path / "tracked.npz", items)
    params, detail, clip = fitted(TrackedClips.load(tmp_path / "tracked.npz"), face_model())
    assert params.shape == (CLIP_FRAMES, PARAMS_SIZE)  # three frames show no motion
    for part, size in zip(detail, (SWAY_SIZE, MOUTH_SIZE, IRIS_SIZE), strict=True):
        assert part.shape == (CLIP_FRAMES, size)
    assert set(clip) == {0}
