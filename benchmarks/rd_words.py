"""What the figures say, in sentences: where our call wins, and where it loses."""

from __future__ import annotations

from typing import Any

from benchmarks.curves import rate_for, spread
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
    said += [text for metric in METRICS if (text := _contest(metric, ours, codecs))]
    said.append(_verdict(ours, codecs))
    said.append(_reference(ours, codecs))
    return said


def better(metric: Metric, one: float, other: float) -> bool:
    """Say whether one value is better than another."""
    return one > other if metric.higher else one < other


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


def _contest(
    metric: Metric, ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]]
) -> str | None:
    mine = ours[metric.key]
    rivals = {n: c[0] for n, c in codecs.items() if c[0][metric.key] is not None}
    if mine is None or not rivals:
        return None
    beat = [n for n, point in rivals.items() if better(metric, mine, point[metric.key])]
    lost = [n for n in rivals if n not in beat]
    title = metric.title.split(",")[0]
    start = f"{title}: ours {mine:.{metric.digits}f}"

    def at_floor(names: list[str]) -> str:
        return _listed([f"{n} ({rivals[n][metric.key]:.{metric.digits}f})" for n in names])

    if not lost:
        return f"{start}, better than every codec at its floor: {at_floor(beat)}."
    if not beat:
        return f"{start}, worse than every codec even at its floor: {at_floor(lost)}."
    return f"{start}, better than {at_floor(beat)}, worse than {at_floor(lost)}, at their floors."


def _verdict(ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]]) -> str:
    rivals = [curve[0] for curve in codecs.values()]
    lowest = min(point["wire_kbps"] for point in rivals)
    losing = [
        metric.title.split(",")[0]
        for metric in METRICS
        if ours[metric.key] is not None
        and any(
            point[metric.key] is not None and better(metric, point[metric.key], ours[metric.key])
            for point in rivals
        )
    ]
    if ours["wire_kbps"] >= lowest:
        start = f"Where a link carries {lowest:.0f} kbps a codec is there for less than ours costs"
    else:
        start = (
            f"Ours is for links that carry {ours['wire_kbps']:.0f} kbps or more and not the "
            f"{lowest:.0f} kbps that the first codec needs"
        )
    if losing:
        return (
            f"{start}. From there on take a codec if what counts is {_listed(losing)}: there some "
            "codec at its floor is already nearer to the original than ours, and more bits only "
            "help the codec."
        )
    return f"{start}; up to the rates in the table below, ours is nearer to the original."


def _reference(ours: dict[str, Any], codecs: dict[str, list[dict[str, Any]]]) -> str:
    name, cheapest = min(
        ((name, curve[0]) for name, curve in codecs.items()), key=lambda item: spread(item[1], None)
    )
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
