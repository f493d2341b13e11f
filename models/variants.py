"""The recipe of `lite` and the same without one of its parts, for short equal runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from models.checkpoint import load_related
from models.dataset import Pairs
from models.face_parts import iris_of, mouth_of
from models.headgan import PAST, Rebuilt
from models.trainer import NEW_PARTS, Trainer
from shared.errors import BadInputError
from shared.face_image import MOUTH_DARK, USUAL_IRIS, eye_colour


@dataclass(frozen=True, slots=True)
class Variant:
    """The recipe, or the recipe without one part.

    Attributes:
        name: what the command line and the table call it.
        displacement: whether the networks get the mesh displacement; otherwise it is 0 everywhere
            and the flow is its residual. (A preset without displacement has other layers too.)
        told: whether the face image tells what the openings of the face show.
        mask: whether the painted picture is mixed with the warped reference.
        perceptual: whether SqueezeNet's features are compared.
        adversary: whether there are discriminators.
        landmarks: whether FaceMesh is asked where the rebuilt face is.
        identity: whether dlib's network is asked whether it is the same person.
    """

    name: str
    displacement: bool = True
    told: bool = True
    mask: bool = True
    perceptual: bool = True
    adversary: bool = True
    landmarks: bool = True
    identity: bool = True


VARIANTS = (
    Variant("whole"),
    Variant("no-displacement", displacement=False),
    Variant("untold", told=False),
    Variant("no-mask", mask=False),
    Variant("no-perceptual", perceptual=False),
    Variant("no-gan", adversary=False),
    Variant("no-landmarks", landmarks=False),
    Variant("no-identity", identity=False),
)


def variants(names: list[str] | None) -> list[Variant]:
    """Return variants by their names; None is all of them.

    Raises:
        BadInputError: there is none of such a name.
    """
    known = [variant.name for variant in VARIANTS]
    wrong = [name for name in names or [] if name not in known]
    if wrong:
        raise BadInputError(f"there is no variant {wrong[0]!r}: use some of {', '.join(known)}")
    return [variant for variant in VARIANTS if names is None or variant.name in names]


@dataclass(frozen=True, slots=True)
class Settings:
    """What runs that are to be compared have in common.

    Attributes:
        steps: optimiser steps.
        batch: pairs a step.
        rate: peak learning rate.
        adversarial_from: step at which the discriminators begin.
        seed: of weights and pairs.
        start: name of the checkpoint they go on from; None for random weights.
    """

    steps: int
    batch: int
    rate: float
    adversarial_from: int
    seed: int
    start: str | None

    def keep(self, folder: Path) -> None:
        """Write them beside the runs.

        Raises:
            BadInputError: the runs that are there have other settings.
        """
        path, text = folder / "settings.json", json.dumps(asdict(self), indent=1)
        if path.exists() and path.read_text("utf-8") != text:
            raise BadInputError(
                f"the runs in {folder} are not equal to these (see {path}): give another --out"
            )
        path.write_text(text, encoding="utf-8")


def trainer_of(
    variant: Variant,
    settings: Settings,
    folder: Path,
    perceptual: Path,
    start: Path | None,
    recognition: Path | None = None,
) -> Trainer:
    """Return a variant's run, where its checkpoint stands.

    Args:
        variant: of the recipe.
        settings: the run's.
        folder: where the run is kept; made when missing.
        perceptual: archive of SqueezeNet's weights.
        start: checkpoint that a new run goes on from.
        recognition: archive of dlib's network; None is a recipe without it.

    Raises:
        BadInputError: `start` is no checkpoint that the variant could go on from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        "lite",
        folder,
        settings.steps,
        settings.rate,
        perceptual if variant.perceptual else None,
        settings.seed,
        settings.adversarial_from if variant.adversary else None,
        start,
        landmarks=variant.landmarks,
        recognition=recognition if variant.identity else None,
    )
    if start is not None and trainer.adversary and not trainer.checkpoint.exists():
        # New discriminators would know nothing of a generator that is nearly done.
        load_related(start, {"discriminators": trainer.adversary.networks}, NEW_PARTS)
    for network in (trainer.network, trainer.ema):
        if not variant.displacement:
            network.register_forward_pre_hook(_not_displaced)
        if not variant.told:
            network.register_forward_pre_hook(_untold)
        if not variant.mask:
            network.register_forward_hook(_only_painted)
    return trainer


def train(
    trainer: Trainer, pairs: Pairs, batch: int, workers: int, every: int
) -> Iterator[dict[str, float]]:
    """Take the steps that a run has left, and yield each one's loss terms.

    Args:
        trainer: the run.
        pairs: as many as all its steps take.
        batch: pairs a step.
        workers: processes that make pairs.
        every: steps between checkpoints.
    """
    rest = Subset(pairs, range(trainer.step * batch, trainer.steps * batch))
    for pair_batch in DataLoader(rest, batch, num_workers=workers):
        yield trainer.train_step(pair_batch)
        if trainer.step % every == 0 or trainer.step == trainer.steps:
            trainer.save()


def _not_displaced(_network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    faces, displacement, *others = inputs
    return faces, torch.zeros_like(displacement), *others


def _untold(_network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    faces, *others = inputs
    images = faces.reshape(len(faces) * PAST, -1, *faces.shape[2:])
    dark = images.new_tensor([0, 0, MOUTH_DARK])[:, None, None]
    images = torch.where(mouth_of(images) > 0, dark, images)
    grey = images.new_tensor(eye_colour(USUAL_IRIS))[:, None, None]
    images = torch.where(iris_of(images) > 0, grey, images)
    return images.view_as(faces), *others


def _only_painted(_network: nn.Module, _inputs: object, rebuilt: Rebuilt) -> Rebuilt:
    return rebuilt._replace(image=rebuilt.painted)
