"""What the demo shows: a film of both sides, and a still of a telling frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2

from benchmarks.call import Call
from benchmarks.comparison import Comparison
from benchmarks.panels import Panel, side_by_side
from benchmarks.video import Mp4Writer

_ZOOM = 2


def write_film(call: Call, comparison: Comparison, path: Path, tick: Callable[[], None]) -> None:
    """Write original and rebuilt side by side, at the source's pace.

    Where a frame was not shown the picture before it stands, as it stood for who watched.

    Args:
        call: the call.
        comparison: its frames.
        path: the film, ``.mp4``.
        tick: called once for every frame of it.
    """
    above = f"Rebuilt from numbers alone, {call.sender.wire_kbps:.1f} kbps"
    first = min(comparison.shown)
    rebuilt = comparison.shown[first]
    height, width = side_by_side([Panel(rebuilt, above)] * 2, _ZOOM).shape[:2]
    with Mp4Writer(path, comparison.rate, width, height) as film:
        for index in range(first, len(comparison.originals)):
            tick()
            rebuilt = comparison.shown.get(index, rebuilt)
            original = Panel(
                comparison.originals[index], "Original", f"{index / float(comparison.rate):.1f} s"
            )
            film.write(side_by_side([original, Panel(rebuilt, above)], _ZOOM))


def write_still(call: Call, comparison: Comparison, path: Path) -> None:
    """Write the reference, an original and its rebuilt picture in a row.

    Args:
        call: the call.
        comparison: its frames.
        path: the picture, ``.png``.
    """
    score = comparison.telling()
    seconds = score.sequence / float(comparison.rate)
    picture = side_by_side(
        [
            Panel(comparison.originals[comparison.reference], "Sent once", "the first frame"),
            Panel(comparison.originals[score.sequence], "Original", f"{seconds:.1f} s"),
            Panel(
                comparison.shown[score.sequence],
                f"Rebuilt: {score.psnr:.1f} dB, {call.sender.wire_kbps:.1f} kbps",
            ),
        ]
    )
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path.write_bytes(encoded.tobytes())
