"""Results of the rate-distortion benchmark, made up: ours, two codecs, two clips."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.curves import codec_curve, own_curve
from benchmarks.packets import HEADER_BYTES, PACKET_BYTES
from benchmarks.rd_report import Strip
from benchmarks.records import Record
from benchmarks.scores import METRICS

CLIPS = ("anna", "<ben>")
CODECS = {"x264-veryfast": 15.0, "vp9": 17.0}  # each with its floor, kbps


def point(clip: str, codec: str, setting: str, wire: float, quality: float) -> dict[str, Any]:
    """Return a point; a codec's quality 0 is bad and 1 good, in every metric."""
    values = {
        "psnr": 18 + 14 * quality, "psnr_y": 19 + 14 * quality, "ssim": 0.5 + 0.4 * quality,
        "ms_ssim": 0.6 + 0.35 * quality, "perceptual": 16 - 14 * quality,
        "identity": 0.6 - 0.5 * quality,
    }  # fmt: skip
    ours = codec.startswith("headcall")
    extras = {"sent_fps": 25.0} if ours else {"ffmpeg": f"ffmpeg -c:v {codec} {setting}"}
    return {
        "clip": clip, "codec": codec, "setting": setting, "frames": 20, "fps": 25.0,
        "payload_kbps": wire - (8 if ours else 10), "wire_kbps": wire,
        "reference_bytes": 20_000 if ours else 1_500, **extras, **values,
    }  # fmt: skip


def results(ours_quality: float = 0.1) -> dict[str, Any]:
    """Return results in which ours has this quality and the codecs 0.2 to 1."""
    points = []
    for clip in CLIPS:
        for setting, wire in (("low", 24.0), ("normal", 11.5), ("economy", 6.5)):
            points.append(point(clip, "headcall-lite", setting, wire, ours_quality))
        for codec, floor in CODECS.items():
            for step in range(5):
                wire, quality = floor * 1.35**step, 0.2 + 0.2 * step
                points.append(point(clip, codec, f"q {51 - 6 * step}", wire, quality))
    copy = {f"{name}_{m.key}": 0.5 for name in ("copy", "mesh_warp") for m in METRICS}
    summary = {}
    for codec in ("headcall-lite", *CODECS):
        own = [p for p in points if p["codec"] == codec]
        curve = own_curve(own) if codec.startswith("headcall") else codec_curve(own)
        summary[codec] = {"floor": curve[0], "curve": curve}
    about = {
        "frames": 20, "clips": {clip: {} for clip in CLIPS}, "left_out": {"libaom-av1": "not here"},
        "header_bytes": HEADER_BYTES, "packet_bytes": PACKET_BYTES,
        "not_charged_to_codecs": "RTCP",
    }  # fmt: skip
    baselines = {clip: dict(copy) for clip in CLIPS}
    return {"about": about, "points": points, "baselines": baselines, "summary": summary}


def strips(found: dict[str, Any]) -> list[Strip]:
    """Return strips of grey pictures for made-up results."""
    grey = [np.full((256, 256, 3), level, np.uint8) for level in (80, 160)]
    scores: dict[str, list[float | None]] = {"psnr": [20.0] * 19}
    return [
        Strip(clip, [4, 12], grey,
              [Record(p, scores, grey) for p in found["points"] if p["clip"] == clip])
        for clip in CLIPS
    ]  # fmt: skip
