"""The results as one HTML file: plots, tables, pictures and what they mean in words."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2

from benchmarks.bd_rate import mean_bd_rate
from benchmarks.curves import at_rate
from benchmarks.rd_plot import SPREADS_S, draw_spread
from benchmarks.rd_words import DEFAULT_SETTING, codecs_of, matching, ours_of, sentences
from benchmarks.records import Record
from benchmarks.scores import METRICS, Metric
from benchmarks.sweep import OURS, too_busy
from shared.pictures import Image

ANCHOR = "x264-veryfast"
_JPEG_QUALITY = 88
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 1240px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; }
p, ul { max-width: 75ch; } img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 3px 9px; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child, td.l, .text th { text-align: left; }
td:nth-child(-n+2) { white-space: nowrap; } .text td { white-space: normal; }
tr.ours { background: #fff3cd; }
.strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr)); gap: 8px;
         margin: 4px 0 14px; }
figure { margin: 0; } figure img { width: 100%; display: block; }
figcaption { font-size: 11px; line-height: 1.35; margin-top: 5px; }
figure.ours img { outline: 3px solid #e0a800; }
code { font-size: 12px; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, slots=True)
class Strip:
    """A clip's pictures for people to compare.

    Attributes:
        clip: its name.
        numbers: of the frames that are shown.
        originals: those frames.
        records: every point of the clip, with the same frames as it shows them.
    """

    clip: str
    numbers: list[int]
    originals: list[Image]
    records: list[Record]


def write_report(path: Path, results: dict[str, Any], strips: list[Strip]) -> None:
    """Write the report; the plot `rate_distortion.png` lies beside it already."""
    plot = (path.parent / "rate_distortion.png").read_bytes()
    parts = [
        "<h1>Bits against picture</h1>",
        f"<p>{' '.join(escape(text) for text in sentences(results))}</p>",
        _caveats(results),
        "<h2>Rate and quality, means over clips</h2>",
        "<p>Large open marks are codecs' floors. The right column has the reference picture in "
        "the rate, spread over a call.</p>",
        _picture(plot, "png", "rate against quality"),
        "<h2>Means over clips</h2>",
        _means(results),
        "<h2>What a codec needs to be as good as ours</h2>",
        _matches(results),
        "<h2>BD-rate</h2>",
        _bd_rates(results),
        "<h2>Pictures</h2>",
        *(_strip(strip) for strip in strips),
        *_spreads(results),
        "<h2>How to repeat it</h2>",
        _commands(results),
    ]
    head = f"<meta charset='utf-8'><title>Bits against picture</title><style>{_STYLE}</style>"
    view = "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    body = "\n".join(parts)
    path.write_text(
        f"<!doctype html><html lang='en'><head>{view}{head}</head><body>{body}</body></html>\n",
        encoding="utf-8",
    )


def _caveats(results: dict[str, Any]) -> str:
    about = results["about"]
    notes = [
        f"{len(about['clips'])} clips, {about['frames']} frames of each at most, 256x256; PSNR "
        "likes a blurred picture better than a sharp one that is a pixel off, and the perceptual "
        "distance the other way round. Look at the pictures.",
        "Codecs run at every frame of the clip and at a constant quantiser. At half the frame "
        "rate or at a smaller size they could go below these floors; that was not measured.",
        f"Codecs are charged {about['header_bytes']} bytes a packet and not for "
        f"{about['not_charged_to_codecs']}; ours is charged for all that was on the network.",
        "Ours is judged by the picture of every frame, as a receiver shows it that keeps up.",
    ]
    slow = [point for point in results["points"] if too_busy(point)]
    if slow:
        names = ", ".join(sorted({p["clip"] for p in slow}))
        notes.append(
            f"The machine was too busy in the calls of {names}: fewer frames were sent than the "
            "clip has, so the rate is too low. Run it again on an idle machine."
        )
    notes += [f"Left out: {name}: {why}." for name, why in about["left_out"].items()]
    return "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def _means(results: dict[str, Any]) -> str:
    heads = ["at", "payload kbps", "wire kbps", "+ reference over 60 s", "over 10 s"]
    rows = []
    for name, summary in results["summary"].items():
        for point in summary["curve"]:
            reference = point["reference_bytes"] * 8 / 1000
            wire = point["wire_kbps"]
            cells = [f"{point['payload_kbps']:.1f}", f"{wire:.1f}"]
            cells += [f"{wire + reference / 60:.1f}", f"{wire + reference / 10:.1f}"]
            cells += [_number(metric, point[metric.key]) for metric in METRICS]
            kind = " class='ours'" if name.startswith(OURS) else ""
            rows.append(f"<tr{kind}><td>{escape(name)}<td class='l'>{escape(point['at'])}"
                        + "".join(f"<td>{cell}" for cell in cells))  # fmt: skip
    for key, label in (("copy", "showing the reference"), ("mesh_warp", "mesh warp, no network")):
        own = list(results["baselines"].values())
        cells = ["-"] * 4
        for metric in METRICS:
            values = [one[f"{key}_{metric.key}"] for one in own]
            mean = None if None in values else sum(values) / len(values)
            cells.append(_number(metric, mean))
        rows.append(f"<tr><td>{label}<td>" + "".join(f"<td>{cell}" for cell in cells))
    return _table(["codec", *heads, *(metric.title for metric in METRICS)], rows)


def _matches(results: dict[str, Any]) -> str:
    found = ours_of(results)
    if found is None:
        return "<p>Ours was not measured.</p>"
    name, ours = found
    rows = [
        f"<tr><td>{escape(codec)}"
        + "".join(f"<td>{matching(metric, ours, curve)[0]}" for metric in METRICS)
        for codec, curve in codecs_of(results).items()
    ]
    text = (
        f"<p>kbps on the wire at which each codec is as near to the original as {escape(name)} "
        f"in its setting {escape(str(ours['at']))} ({ours['wire_kbps']:.1f} kbps), read off the "
        "means over clips.</p>"
    )
    return text + _table(["codec", *(metric.title for metric in METRICS)], rows)


def _bd_rates(results: dict[str, Any]) -> str:
    others = [name for name in results["summary"] if name != ANCHOR]
    if ANCHOR not in results["summary"] or not others:
        return f"<p>It is taken against {ANCHOR}, and needs that and another codec.</p>"
    rows = []
    for name in others:
        cells = []
        for metric in METRICS:
            value, clips = mean_bd_rate(results["points"], ANCHOR, name, metric)
            cells.append("no overlap" if value is None else f"{value:+.0f} % ({clips})")
        kind = " class='ours'" if name.startswith(OURS) else ""
        rows.append(f"<tr{kind}><td>{escape(name)}" + "".join(f"<td>{cell}" for cell in cells))
    text = (
        f"<p>Wire rate for the same quality against {ANCHOR}, where the curves overlap by at least "
        "a quarter: the mean over clips, and of how many clips it is. Below zero is cheaper.</p>"
    )
    return text + _table(["codec", *(metric.title for metric in METRICS)], rows)


def _strip(strip: Strip) -> str:
    by_codec: dict[str, list[Record]] = {}
    for record in strip.records:
        by_codec.setdefault(record.point["codec"], []).append(record)
    ours = [record for name, own in by_codec.items() if name.startswith(OURS) for record in own]
    default = next((r for r in ours if r.point["setting"] == DEFAULT_SETTING), None)
    rate = default.point["wire_kbps"] if default else 0.0
    shown = [default] if default else []
    for name, records in by_codec.items():
        if not name.startswith(OURS):
            point = at_rate([record.point for record in records], rate)
            shown.append(next(record for record in records if record.point is point))
    rows = [f"<h3>{escape(strip.clip)}</h3>"]
    for place, number in enumerate(strip.numbers):
        figures = [_figure(strip.originals[place], f"original, frame {number}")]
        figures += [_judged(record, place, number) for record in shown]
        rows.append(f"<div class='strip'>{''.join(figures)}</div>")
    return "".join(rows)


def _judged(record: Record, place: int, number: int) -> str:
    point = record.point
    ours = point["codec"].startswith(OURS)
    caption = (
        f"{point['codec']}, {point['setting']}: {point['wire_kbps']:.1f} kbps, "
        f"{record.scores['psnr'][number - 1]:.1f} dB"
    )
    mark = ". Synthesised from one photograph" if ours else ""
    return _figure(record.samples[place], caption + mark, "ours" if ours else "")


def _figure(image: Image, caption: str, kind: str = "") -> str:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    picture = _picture(data.tobytes(), "jpeg", caption)
    return f"<figure class='{kind}'>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _spreads(results: dict[str, Any]) -> list[str]:
    parts = ["<h2>With the reference picture in the rate</h2>"]
    with tempfile.TemporaryDirectory() as folder:
        for seconds in SPREADS_S:
            path = Path(folder) / f"{seconds}.png"
            draw_spread(path, results, seconds)
            parts.append(_picture(path.read_bytes(), "png", f"reference over {seconds} s"))
    return parts


def _commands(results: dict[str, Any]) -> str:
    shown: dict[str, str] = {}
    for point in results["points"]:
        if "ffmpeg" in point:
            shown.setdefault(point["codec"], point["ffmpeg"])
    rows = [
        f"<tr><td>{escape(name)}<td class='l'><code>{escape(command)}</code>"
        for name, command in shown.items()
    ]
    text = (
        "<p>Each codec at its floor on the first clip; every point's own command is in "
        "<code>rate_distortion.json</code>, and the frames without loss are in "
        "<code>frames/</code>.</p>"
    )
    return f"{text}<div class='text'>{_table(['codec', 'ffmpeg'], rows)}</div>"


def _table(heads: list[str], rows: list[str]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in heads)
    return f"<div class='scroll'><table><tr>{head}{''.join(rows)}</table></div>"


def _number(metric: Metric, value: float | None) -> str:
    return "-" if value is None else f"{value:.{metric.digits}f}"


def _picture(data: bytes, kind: str, text: str) -> str:
    coded = base64.b64encode(data).decode()
    return f"<img alt='{escape(text, quote=True)}' src='data:image/{kind};base64,{coded}'>"
