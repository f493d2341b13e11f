"""What the figures say, in sentences: where our call wins, and where it loses."""

from __future__ import annotations

from typing import Any

from benchmarks.curves import rate_for
from benchmarks.scores import METRICS, Metric
from benchmarks.sweep import MOST_KBPS, OURS

DEFAULT_SETTING = "normal"


def ours_of(results: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return our codec's name and its point in the default setting; None if it was not run."""
    for name, summary in results["summary"].items():
        if name.startswith(OURS):
            curve = summary["curve"]
            return name, next((p for p in curve if p["at"] == DEFAULT_SETTING), curve[0])
    return None


def codecs_of(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return each real codec's curve."""
    return {
        name: summary["curve"]
        for name, summary in results["summary"].items()
        if not name.startswith(OURS)
    }


def sentences(results: dict[str, Any]) -> list[str]:
    """Return the verdict, each sentence made from the figures."""
    found, codecs = ours_of(results), codecs_of(results)
    if found is None or not codecs:
        return ["Only one side was measured, so there is nothing to compare."]
    name, ours = found
    said = [_cost(results, name), _floors(ours, codecs)]
    needed = {
        metric: first_match(metric, ours, codecs)
        for metric in METRICS
        if ours[metric.key] is not None
        and all(point[metric.key] is not None for curve in codecs.values() for point in curve)
    }
    lowest = _lowest(codecs)[1]["wire_kbps"]
    lost = {m: match for m, match in needed.items() if match and match[0] <= lowest}
    held = {m: match for m, match in needed.items() if m not in lost}
    if lost:
        said.append(_lost(ours, codecs, list(lost)))
    if held:
        said.append(_held(ours, held))
    if text := _nothing(results):
        said.append(text)
    said.append(_verdict(results["summary"][name]["curve"], lowest, list(lost), held))
    said.append(_reference(ours, codecs))
    return said


def first_match(
    metric: Metric, ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]]
) -> tuple[float, str] | None:
    """Return the lowest rate at which some codec is as good as we are, and which; None if none."""
    found = [
        (rate, name)
        for name, curve in codecs.items()
        if (rate := rate_for(curve, metric, ours[metric.key])) is not None
    ]
    return min(found, default=None)


def matching(
    metric: Metric, ours: dict[str, Any], curve: list[dict[str, Any]]
) -> tuple[str, float | None]:
    """Return at which rate a codec is as good as we are, for people, and as a number."""
    if ours[metric.key] is None or any(point[metric.key] is None for point in curve):
        return "not measured", None
    rate = rate_for(curve, metric, ours[metric.key])
    if rate is None:
        return f"not below {MOST_KBPS:g}", None
    at_floor = rate == rate_for(curve[:1], metric, ours[metric.key])
    return (f"{rate:.1f} (its floor)" if at_floor else f"{rate:.1f}"), rate


def _cost(results: dict[str, Any], name: str) -> str:
    settings = results["summary"][name]["curve"]
    listed = ", ".join(f"{point['wire_kbps']:.1f} kbps ({point['at']})" for point in settings)
    return f"Ours costs {listed} on the wire, every byte in both directions counted."


def _floors(ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]]) -> str:
    floors = sorted((curve[0]["wire_kbps"], name) for name, curve in codecs.items())
    lowest, least = floors[0]
    headers = floors[0][0] - codecs[least][0]["payload_kbps"]
    below = [name for rate, name in floors if rate <= ours["wire_kbps"]]
    told = (
        f"{_listed(below)} can send as little as our default setting"
        if below
        else "none of the codecs can send as little as our default setting"
    )
    return (
        f"At this size and frame rate {told}: the lowest floor is {lowest:.1f} kbps ({least}), of "
        f"which {headers:.1f} are packet headers, the highest {floors[-1][0]:.1f} kbps "
        f"({floors[-1][1]})."
    )


def _lost(ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]], lost: list[Metric]) -> str:
    name, floor = _lowest(codecs)
    values = [
        f"{m.short} {floor[m.key]:.{m.digits}f} against our {ours[m.key]:.{m.digits}f}"
        for m in lost
    ]
    return (
        f"Already at that floor {name} is nearer to the original than ours in "
        f"{_listed(values)}; more bits only help the codec."
    )


def _held(ours: dict[str, Any], held: dict[Metric, tuple[float, str] | None]) -> str:
    values = []
    for metric, match in held.items():
        mine = f"{metric.short} ({ours[metric.key]:.{metric.digits}f})"
        values.append(
            f"{mine} up to {MOST_KBPS:g} kbps, where the sweep ends"
            if match is None
            else f"{mine} below {match[0]:.0f} kbps, where {match[1]} draws level"
        )
    return f"Ours is better than every codec in {_listed(values)}."


def _nothing(results: dict[str, Any]) -> str:
    """Say what no call at all scores, so that nobody takes it for our merit."""
    baselines, values = list(results["baselines"].values()), []
    for metric in METRICS:
        own = [clip[f"copy_{metric.key}"] for clip in baselines]
        if own and None not in own:
            values.append(f"{metric.short} {sum(own) / len(own):.{metric.digits}f}")
    if not values:
        return ""
    return f"The reference picture alone, without a call, scores {_listed(values)}."


def _verdict(
    own: list[dict[str, Any]],
    lowest: float,
    lost: list[Metric],
    held: dict[Metric, tuple[float, str] | None],
) -> str:
    if own[0]["wire_kbps"] >= lowest:
        return "So there is no link on which ours is the only choice: a codec costs less."
    start = (
        f"So ours is for links from {own[0]['wire_kbps']:.1f} kbps up to the {lowest:.0f} kbps "
        "that the first codec needs"
    )
    if not held:
        return f"{start}; where a link carries that, take a codec."
    matches = list(held.values())
    if None in matches:
        ends = f"{MOST_KBPS:g} kbps and perhaps beyond"
    else:
        ends = f"{max(match[0] for match in matches if match):.0f} kbps"
    names = _listed([metric.short for metric in held])
    if lost:
        return (
            f"{start}; from there up to {ends} it depends on what counts: ours for {names}, a "
            f"codec for {_listed([metric.short for metric in lost])}; above, take a codec."
        )
    return f"{start}, and up to {ends} where what counts is {names}; above, take a codec."


def _lowest(codecs: dict[str, list[dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """Return the codec that can send least, and its floor."""
    name = min(codecs, key=lambda name: float(codecs[name][0]["wire_kbps"]))
    return name, codecs[name][0]


def _reference(ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]]) -> str:
    name, cheapest = _lowest(codecs)
    more = ours["reference_bytes"] - cheapest["reference_bytes"]
    saved = (cheapest["wire_kbps"] - ours["wire_kbps"]) * 1000 / 8
    text = (
        f"Our reference picture costs {ours['reference_bytes'] / 1000:.1f} kB, the first frame of "
        f"{name} at its floor {cheapest['reference_bytes'] / 1000:.1f} kB"
    )
    if more <= 0:
        return f"{text}: the start is cheaper too."
    if saved <= 0:
        return f"{text}: it is never made up for."
    return f"{text}: ours is the cheaper call in all only from {more / saved:.0f} s on."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
