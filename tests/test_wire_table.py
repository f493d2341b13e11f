"""The committed table, and the tool that makes it."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.build_wire_table import Counts, added_error, build, cost, fit_prior
from shared.face_model import FaceModel
from shared.params import PARAMS_SIZE, Params
from shared.wire import FrameDecoder, FrameEncoder
from shared.wire_table import Prior, WireTable, wire_table
from tests.sending import frames, track


def test_the_committed_table_covers_every_legal_value() -> None:
    table = wire_table()
    assert (table.low < table.high).all()
    for levels in (table.low, table.high):
        Params.from_vector(table.values(levels))
        assert (table.quantise(table.values(levels)) == levels).all()


def test_a_table_of_another_version_is_refused() -> None:
    text = (resources.files("shared") / "assets" / "wire-v1.json").read_text("utf-8")
    data = json.loads(text)
    data["version"] = 2
    with pytest.raises(ValueError, match="version 2"):
        WireTable.parse(json.dumps(data))


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
    made = build(params, np.repeat(np.arange(3), 60), model)
    table = WireTable.parse(json.dumps(made))
    assert table.steps.shape == (PARAMS_SIZE,)
    assert added_error(model, params, table.centres, table.steps) < 0.003
    encoder, decoder = FrameEncoder(table), FrameDecoder(table)
    for frame in frames(20):
        assert decoder.decode(encoder.encode(frame)).sequence == frame.sequence
