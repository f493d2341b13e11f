"""What a call showed beside what was filmed, frame by frame."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from benchmarks.call import Call
from benchmarks.video import read_frames
from receiver.motion import GUESSED_MS
from receiver.playout import LEAST_FRAME_MS
from sender.sources import open_source
from shared.config import settings
from shared.crop import PICTURE_SIZE, Crop
from shared.errors import BadInputError
from shared.metrics import psnr, ssim
from shared.pictures import Image

# Of the frames that differ most from the reference, the still shows one of middling quality.
_FAR_SHARE = 0.25
# After the clip's last frame the playout guesses on: no more frames than that.
GUESSES = int(GUESSED_MS / LEAST_FRAME_MS)


@dataclass(frozen=True, slots=True)
class Score:
    """One shown frame against its original.

    Attributes:
        sequence: the frame's index in the source.
        psnr: of the rebuilt picture, dB.
        copy_psnr: of showing the reference instead, dB.
        ssim: of the rebuilt picture.
        copy_ssim: of showing the reference instead.
    """

    sequence: int
    psnr: float
    copy_psnr: float
    ssim: float
    copy_ssim: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Originals and rebuilt pictures of one call.

    Attributes:
        originals: the source's frames up to the last one shown, cut by the sender's crop,
            256x256.
        rate: frames a second of the source.
        shown: the receiver's pictures with their mark below, by index in the source.
        reference: index in the source of the frame that served as the photograph.
        scores: of every shown frame but the reference, in the order of the source.
    """

    originals: list[Image]
    rate: Fraction
    shown: dict[int, Image]
    reference: int
    scores: list[Score]

    def mean(self, figure: Callable[[Score], float]) -> float:
        """Return the mean of a figure over the scored frames."""
        return statistics.fmean(figure(score) for score in self.scores)

    def telling(self) -> Score:
        """Return a frame for the still: far from the reference, and of middling quality there."""
        by_distance = sorted(self.scores, key=lambda score: score.copy_psnr)
        far = by_distance[: max(1, round(len(by_distance) * _FAR_SHARE))]
        return sorted(far, key=lambda score: score.psnr)[len(far) // 2]


def compare(clip: Path, call: Call, tick: Callable[[], None] = lambda: None) -> Comparison:
    """Measure a call against its source.

    Args:
        clip: the sender's source.
        call: the call.
        tick: called once for every shown frame.

    Raises:
        BadInputError: the files do not belong together, or nothing was shown.
    """
    rows = call.receiver.frames
    pictures = list(read_frames(call.rebuilt)) if rows else []
    if len(pictures) != len(rows):
        raise BadInputError(
            f"{call.rebuilt} holds {len(pictures)} pictures and the report {len(rows)}"
        )
    shown = {row.sequence: image for row, image in zip(rows, pictures, strict=True)}
    if len(shown) < 2:
        raise BadInputError("the call showed too little to measure; is there a face in the clip?")
    reference = call.sender.calibrated_on  # a file's frame of calibration is its photograph
    originals, rate = _originals(clip, call.crop, max(*shown, reference) + 1)
    if max(shown) >= len(originals) + GUESSES:
        raise BadInputError(
            f"the receiver showed frame {max(shown)}, {clip} has no more than {len(originals)}"
        )
    shown = {number: image for number, image in shown.items() if number < len(originals)}
    scores = []
    for sequence in sorted(shown):
        tick()
        # The reference against itself says nothing; it is left out on both sides.
        if sequence != reference:
            scores.append(_score(sequence, originals, shown[sequence], originals[reference]))
    return Comparison(originals, rate, shown, reference, scores)


def _originals(clip: Path, crop: Crop, count: int) -> tuple[list[Image], Fraction]:
    """Return the first frames of a clip as the sender takes them, and their rate."""
    source = open_source(str(clip), settings().max_fps, loop=False)
    cuts: list[Image] = []
    at_s = 0.0
    try:
        while len(cuts) < count:
            picture = source.read()
            if picture is None:
                break
            cuts.append(crop.cut(picture.image))
            at_s = picture.at_s
    finally:
        source.close()
    if len(cuts) < 2:
        raise BadInputError(f"{clip} has fewer than two frames")
    return cuts, Fraction((len(cuts) - 1) / at_s).limit_denominator(1001)


def _score(sequence: int, originals: list[Image], shown: Image, reference: Image) -> Score:
    original, rebuilt = originals[sequence], shown[:PICTURE_SIZE]
    return Score(
        sequence,
        psnr(original, rebuilt),
        psnr(original, reference),
        ssim(original, rebuilt),
        ssim(original, reference),
    )
