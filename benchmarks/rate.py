"""What the stream costs: bits of payload and on the wire, for every latency setting.

    python -m benchmarks.rate CLIPS_DIR --out OUT

runs a real call for each clip and setting, the clip again and again for 20 s, sender and receiver
as processes over a WebRTC data channel on loopback, and writes `OUT/rate.json`, `OUT/rate.png` and
a table. Wire rates count every byte in both directions from the first frame on: IP, UDP, DTLS, SCTP
with its acknowledgements, ICE's checks and the signs of life. Added error is what quantising adds,
and still faces that are not sent: RMS over the distances of all points, in percent of the eye
distance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.call import run_call
from benchmarks.results import write_result
from benchmarks.sending import FRAME_MS, clips_in, send
from shared.bundler import Bundler
from shared.command import run_command
from shared.face_model import FaceModel, eye_distance
from shared.latency import Latency
from shared.params import Floats, Frame
from shared.wire import FrameDecoder, FrameEncoder

CALL_S = 20.0  # a clip is played again until then: what a goodbye costs is not the stream's


def received(frames: list[Frame], latency: Latency) -> dict[int, Frame]:
    """Return the frames that arrive, by number; still frames are not sent."""
    bundler, decoder = Bundler(latency), FrameDecoder()
    encoder = FrameEncoder(latency.key_packets, latency.coarse)
    packets = [packet for frame in frames for packet in bundler.add(frame)] + bundler.flush()
    return {
        frame.sequence: frame
        for packet in packets
        for frame in decoder.decode(encoder.encode(packet))
    }


def held(frames: list[Frame], latency: Latency) -> Iterator[tuple[Frame, Frame]]:
    """Yield each frame with the one that the receiver has in its place."""
    got = received(frames, latency)
    newest = got[frames[0].sequence] if frames[0].sequence in got else frames[0]
    for frame in frames:
        newest = got.get(frame.sequence, newest)
        yield frame, newest


def added_error(frames: list[Frame], identity: Floats, model: FaceModel, latency: Latency) -> float:
    """Return the error that the wire adds to a clip, percent of the eye distance."""
    squares, eyes = [], []
    for frame, received in held(frames, latency):
        sent = model.points(identity, frame.params)
        shift = model.points(identity, received.params) - sent
        squares.append(float(np.square(shift).sum(axis=1).mean()))
        eyes.append(eye_distance(sent))
    return 100 * float(np.sqrt(np.mean(squares)) / np.mean(eyes))


def measure(
    clip: Path, model: FaceModel, latencies: list[Latency], seconds: float
) -> list[dict[str, Any]]:
    """Return a clip's figures, one entry a setting."""
    sent = list(send(clip, model))
    frames = [Frame(n, n * FRAME_MS, frame.smoothed, frame.seen) for n, frame in enumerate(sent)]
    points = []
    for latency in latencies:
        with tempfile.TemporaryDirectory() as folder:
            call = run_call(clip, Path(folder), seconds, latency=latency, loop=True)
        points.append(
            {
                "clip": clip.stem,
                "latency": latency.value,
                "frames": call.sender.frames_captured,
                "frames_still": call.sender.frames_still,
                "payload_kbps": call.sender.payload_kbps,
                "wire_kbps": call.sender.wire_kbps,
                "added_percent": added_error(frames, sent[0].identity, model, latency),
                "latency_ms": call.receiver.latency_ms.p50,
            }
        )
    return points


def summary(points: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the means over clips of each setting's figures."""
    names = ("payload_kbps", "wire_kbps", "added_percent", "latency_ms")
    return {
        latency: {
            name: float(np.mean([point[name] for point in points if point["latency"] == latency]))
            for name in names
        }
        for latency in dict.fromkeys(point["latency"] for point in points)
    }


def draw(path: Path, points: list[dict[str, Any]]) -> None:
    """Write the rates as bars, payload within wire."""
    from matplotlib.figure import Figure

    clips = list(dict.fromkeys(point["clip"] for point in points))
    settings = list(dict.fromkeys(point["latency"] for point in points))
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(settings)
    for place, setting in enumerate(settings):
        own = [point for point in points if point["latency"] == setting]
        at = np.arange(len(clips)) + (place - (len(settings) - 1) / 2) * width
        bars = axes.bar(at, [point["wire_kbps"] for point in own], width * 0.9, label=setting)
        colour = bars.patches[0].get_facecolor()
        axes.bar(
            at, [point["payload_kbps"] for point in own], width * 0.9,
            color=colour, edgecolor="black", linewidth=0.8,
        )  # fmt: skip
    axes.set_xticks(np.arange(len(clips)), clips, rotation=30, ha="right")
    axes.set_ylabel("kbps, both directions (framed: payload)")
    axes.legend()
    figure.savefig(path, dpi=120)


def report(points: list[dict[str, Any]], means: dict[str, dict[str, float]]) -> Table:
    """Return the figures as a table."""
    table = Table("clip", "latency", "payload kbps", "wire kbps", "added %", "shown after ms")
    for point in [*points, *({"clip": "mean", "latency": k, **v} for k, v in means.items())]:
        table.add_row(
            point["clip"],
            point["latency"],
            f"{point['payload_kbps']:.2f}",
            f"{point['wire_kbps']:.2f}",
            f"{point['added_percent']:.3f}",
            f"{point['latency_ms']:.0f}",
        )
    return table


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for rate.json and rate.png.")] = Path("build"),
    latency: Annotated[
        list[Latency] | None, typer.Option(help="Settings to measure; all of them by default.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long each call is.")] = CALL_S,
) -> None:
    """Measure the stream's rates on a folder of clips, in real time."""
    model, latencies = FaceModel.load(), latency or list(Latency)
    points: list[dict[str, Any]] = []
    with Progress() as progress:
        for clip in progress.track(clips_in(clips), description="calling"):
            points += measure(clip, model, latencies, seconds)
    means = summary(points)
    out.mkdir(parents=True, exist_ok=True)
    write_result(out / "rate.json", {"points": points, "mean": means})
    draw(out / "rate.png", points)
    Console().print(report(points, means))


if __name__ == "__main__":
    run_command(main)
