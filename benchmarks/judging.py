"""One clip rebuilt and judged: nearness to the original, likeness, motion, calm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress, pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.identity import Identity
from benchmarks.packaged import fetch
from benchmarks.retracking import Difference, Retracker, difference, is_frontal
from benchmarks.scores import SQUEEZENET
from benchmarks.sending import Sent, send
from models.perceptual import PerceptualDistance
from models.prepare import frame_times
from models.soundtrack import Soundtrack
from receiver.generator import Generator
from receiver.stillness import Stillness
from shared.crop import PICTURE_SIZE
from shared.errors import BadInputError
from shared.face_image import FaceRenderer
from shared.face_model import FaceModel, adapt
from shared.mesh_warp import mesh_warp
from shared.metrics import psnr, ssim
from shared.params import Floats
from shared.pictures import Image
from shared.tracker import Points

EVERY = 5  # frames: how often the two networks judge; they cost more than the generator
GRAFT_EDGE = 1.5  # pixels, standard deviation
STILL_SHARE = 0.25  # of a clip's steps, those in which the face moves least, show shimmer


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One frame as it was and as it was shown.

    Attributes:
        original: the driving picture.
        reference: the clip's first picture, which the receiver holds.
        warped: the reference moved by the mesh alone.
        rebuilt: what the generator made.
        grafted: the same with the original's own face laid into it.
        points: the driving frame's tracked points, (478, 3), picture sides.
        psnr: of the rebuilt picture, decibels.
    """

    original: Image
    reference: Image
    warped: Image
    rebuilt: Image
    grafted: Image
    points: Points
    psnr: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A clip's figures, and two of its frames to look at.

    Attributes:
        figures: by name, see `benchmarks.quality`.
        median: the frame of median PSNR.
        worst: the frame of least PSNR.
    """

    figures: dict[str, float]
    median: Rebuilt
    worst: Rebuilt


class Judge:
    """Rebuilds clips with one generator and measures what comes out."""

    def __init__(
        self, generator: Generator, model: FaceModel, packages: Path, silent: bool = False
    ) -> None:
        self._generator, self._model, self._silent = generator, model, silent
        self._renderer = FaceRenderer(model, PICTURE_SIZE)
        self._identity = Identity(packages)
        self._perceptual = PerceptualDistance(fetch(SQUEEZENET, packages))

    def judge(self, clip: Path, frames: int | None = None) -> Judged:
        """Return a clip's figures; looks at no more frames than `frames`.

        Raises:
            BadInputError: the clip shows no face, or in one frame only.
        """
        sent = list(send(clip, self._model, frames))
        if len(sent) < 2:
            raise BadInputError(f"{clip} shows a face in fewer than two frames: leave it out")
        shown = self._rebuild(sent, self._heard(clip, sent))
        scored = shown[1:]  # the first frame is the reference itself
        figures = {"frames": float(len(scored))}
        figures["psnr"] = _mean(frame.psnr for frame in scored)
        figures["ssim"] = _mean(ssim(frame.original, frame.rebuilt) for frame in scored)
        figures["copy_psnr"] = _mean(psnr(frame.original, frame.reference) for frame in scored)
        figures["mesh_warp_psnr"] = _mean(psnr(frame.original, frame.warped) for frame in scored)
        figures |= self._likeness(shown[0], scored[::EVERY])
        figures |= self._motion(sent[1:], scored)
        figures["shimmer"] = shimmer(scored)
        order = np.argsort([frame.psnr for frame in scored])
        return Judged(figures, scored[order[len(order) // 2]], scored[order[0]])

    def _heard(self, clip: Path, sent: list[Sent]) -> list[Floats | None]:
        """Return the features of each frame's sound, as a receiver has them."""
        if self._silent:
            return [None] * len(sent)
        times, track = frame_times(clip), Soundtrack.read(clip)
        return [track.features(times[min(frame.number, len(times) - 1)]) for frame in sent]

    def _rebuild(self, sent: list[Sent], heard: list[Floats | None]) -> list[Rebuilt]:
        first = sent[0]
        reference = self._generator.set_reference(first.picture)
        home = self._renderer.pose(first.identity, first.fitted)
        shown, stillness = [], Stillness()
        for frame, sound in zip(sent, heard, strict=True):
            params = adapt(frame.received, first.fitted, self._generator.reference_params)
            rebuilt = stillness.apply(self._generator.generate(params, frame.detail, sound))
            driving = self._renderer.pose(frame.identity, frame.received)
            drawn = self._renderer.draw(driving, home)
            shown.append(
                Rebuilt(
                    frame.picture,
                    reference,
                    mesh_warp(reference, drawn.displacement),
                    rebuilt,
                    graft(frame.picture, rebuilt, drawn.beside),
                    frame.points,
                    psnr(frame.picture, rebuilt),
                )
            )
        return shown

    def _likeness(self, first: Rebuilt, frames: list[Rebuilt]) -> dict[str, float]:
        reference = self._identity.embed(first.original, first.points)
        identity, unmoved, ours, theirs = [], [], [], []
        for frame in frames:
            original = self._identity.embed(frame.original, frame.points)
            rebuilt = self._identity.embed(frame.rebuilt, frame.points)
            identity.append(float(np.linalg.norm(original - rebuilt)))
            unmoved.append(float(np.linalg.norm(original - reference)))
            ours.append(self._distance(frame.original, frame.rebuilt))
            theirs.append(self._distance(frame.original, frame.reference))
        return {
            "identity": _mean(identity),
            "copy_identity": _mean(unmoved),
            "perceptual": _mean(ours),
            "copy_perceptual": _mean(theirs),
        }

    def _motion(self, sent: list[Sent], shown: list[Rebuilt]) -> dict[str, float]:
        """Return how the rebuilt head moves, and what the tracker makes of the original again.

        And of the original's face amid what was rebuilt; and how far what was sent is from the
        tracker's word: aligned, filtered and quantised.
        """
        frontal = [is_frontal(frame.tracked) for frame in sent]
        told = [difference(frame.received, frame.tracked) for frame in compress(sent, frontal)]
        figures = {
            "expression_sent": _mean(own.expression for own in told),
            "pose_sent_deg": _mean(own.pose_deg for own in told),
        }
        for pictures, expression, pose in (
            ([frame.rebuilt for frame in shown], "expression_error", "pose_error_deg"),
            ([frame.grafted for frame in shown], "expression_grafted", "pose_grafted_deg"),
            ([frame.original for frame in shown], "expression_noise", "pose_noise_deg"),
        ):
            with Retracker(self._model, sent[0].identity) as tracker:
                # The tracker keeps state: it sees the turned faces too, which do not count.
                seen: list[Difference | None] = [
                    tracker.compare(picture, frame.tracked)
                    for frame, picture in zip(sent, pictures, strict=True)
                ]
            found = [own for own in compress(seen, frontal) if own is not None]
            figures[expression] = _mean(own.expression for own in found)
            figures[pose] = _mean(own.pose_deg for own in found)
        return figures

    def _distance(self, original: Image, other: Image) -> float:
        with torch.no_grad():
            features = self._perceptual.features(_tensor(original))
            return float(self._perceptual(_tensor(other), features))


def graft(original: Image, rebuilt: Image, beside: Floats) -> Image:
    """Return a rebuilt picture with the original's own face, with a soft edge.

    Args:
        original: RGB uint8 (S, S, 3).
        rebuilt: likewise.
        beside: of the frame's face image, (S, S): 0 on the face, 1 beside it.
    """
    face = cv2.GaussianBlur((beside <= 0).astype(np.float32), (0, 0), GRAFT_EDGE)[..., None]
    return np.asarray(np.rint(face * original + (1 - face) * rebuilt), np.uint8)


def shimmer(frames: list[Rebuilt]) -> float:
    """Return how much more a still face changes from frame to frame than in the original.

    The mean absolute difference of neighbouring pictures over that of the originals, over the
    steps in which the face moves least; 1 is as calm as the original.
    """
    steps = list(pairwise(frames))
    moved = [float(np.abs(after.points - before.points).mean()) for before, after in steps]
    still = np.argsort(moved, kind="stable")[: max(1, round(STILL_SHARE * len(steps)))]
    ours = _mean(_change(steps[i][0].rebuilt, steps[i][1].rebuilt) for i in still)
    theirs = _mean(_change(steps[i][0].original, steps[i][1].original) for i in still)
    return ours / max(theirs, 1e-3)


def _change(before: Image, after: Image) -> float:
    return float(np.abs(after.astype(np.int16) - before).mean())


def _mean(values: Iterable[float]) -> float:
    """Return the mean; not a number where there is nothing."""
    found = list(values)
    return float(np.mean(found)) if found else float("nan")


def _tensor(image: Image) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
