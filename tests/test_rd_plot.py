"""The plot: a panel for each metric, everything that was measured in it, marked."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks.codecs import CODECS
from benchmarks.rd_plot import STYLES, draw, panel
from benchmarks.scores import METRICS
from tests.measured import CODECS as MEASURED
from tests.measured import results


def test_a_picture_is_written(tmp_path: Path) -> None:
    draw(tmp_path / "plot.png", results())
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "plot.png").stat().st_size < 150_000


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_a_panel_has_every_codec_with_its_floor(metric: object) -> None:
    found = results()
    axes = Figure().subplots()
    panel(axes, found, metric, None)  # type: ignore[arg-type]
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert {"x264-veryfast", "vp9", "headcall-lite (ours)"} <= lines.keys()
    assert axes.get_xscale() == "log"
    for codec, floor in MEASURED.items():
        marks = [line for line in axes.get_lines() if line.get_markersize() == 10]
        assert any(line.get_xdata()[0] == pytest.approx(floor) for line in marks), codec
    texts = {text.get_text() for text in axes.texts}
    assert {"low", "normal", "economy"} <= texts


def test_the_reference_moves_ours_and_theirs_to_the_right() -> None:
    found, places = results(), {}
    for seconds in (None, 60, 10):
        axes = Figure().subplots()
        panel(axes, found, METRICS[0], seconds)
        lines = {str(line.get_label()): line.get_xdata()[0] for line in axes.get_lines()}
        places[seconds] = lines["headcall-lite (ours)"], lines["vp9"]
    assert places[60][0] - places[None][0] == pytest.approx(20_000 * 8 / 60 / 1000)
    assert places[10][0] - places[None][0] == pytest.approx(20_000 * 8 / 10 / 1000)
    assert places[10][1] - places[None][1] == pytest.approx(1_500 * 8 / 10 / 1000)


def test_a_metric_that_was_not_taken_leaves_an_empty_panel() -> None:
    found = results()
    for summary in found["summary"].values():
        for point in summary["curve"]:
            point["identity"] = None
    for own in found["baselines"].values():
        own["copy_identity"] = own["mesh_warp_identity"] = None
    axes = Figure().subplots()
    panel(axes, found, METRICS[-1], None)
    assert not axes.get_lines()


def test_every_codec_has_a_colour_of_its_own() -> None:
    assert {codec.name for codec in CODECS} == STYLES.keys()
    assert len({colour for colour, _ in STYLES.values()}) == len(STYLES)
