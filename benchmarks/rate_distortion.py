"""Bits against picture: this call and real video codecs, measured the same way in one run.

    python -m benchmarks.rate_distortion CLIPS_DIR --out OUT [--frames N] [--codecs a,b]

writes `OUT/rate_distortion.json` (every point, its settings as ffmpeg commands),
`rate_distortion.png`, `report.html` (plots, tables, pictures, in words), the values of every frame
in `rate_distortion_frames.json`, and the 256x256 frames that all got, without loss, in
`OUT/frames`. A run that was stopped goes on where it was.

Each clip's first frame is the reference and not scored. `wire_kbps` counts every byte on the
network in both directions for us, from a real call; for a codec it is charged by
`benchmarks.packets`. Both leave the reference out: it is `reference_bytes`. `perceptual` is
SqueezeNet 1.1's feature distance, `identity` that of dlib's embeddings (one person: below 0.6).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import av
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from benchmarks.codecs import CODECS, chosen
from benchmarks.curves import codec_curve, own_curve
from benchmarks.material import Material, load
from benchmarks.packets import HEADER_BYTES, PACKET_BYTES
from benchmarks.rd_plot import draw
from benchmarks.rd_report import Strip, write_report
from benchmarks.records import Record, Store, file_digest, rounded
from benchmarks.results import write_result
from benchmarks.scores import METRICS, Networks, Scores
from benchmarks.sending import clips_in
from benchmarks.sweep import MOST_KBPS, OURS, Sweep
from benchmarks.video import write_lossless
from models.engine import shipped
from shared.command import run_command
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.metrics import IDENTICAL_DB

FORMAT = 1  # of what is kept in OUT; a change of how things are measured makes it another
FRAMES = 100
CONSOLE = ("psnr", "ssim", "perceptual", "identity")  # more does not fit a terminal
CALL_S = 16.0  # a sign of life is sent every 15 s
_WEIGHTS = Path(str(resources.files("models") / "weights"))
_ASSETS = Path(str(resources.files("shared") / "assets"))


class Run:
    """One run of the benchmark."""

    def __init__(self, out: Path, frames: int, names: list[str], networks: Networks) -> None:
        self._out, self._frames, self._networks = out, frames, networks
        self._names = names
        self._model = FaceModel.load()
        self._store = Store(out / "points")
        self._presets = [name for name in shipped(_WEIGHTS) if f"{OURS}-{name}" in names]
        self.codecs = [codec for codec in CODECS if codec.name in names and codec.is_there]
        self.left_out = {
            codec.name: f"this PyAV ({av.__version__}) has no {codec.encoder}"
            for codec in CODECS
            if codec.name in names and not codec.is_there
        } | networks.missing
        self.points: list[dict[str, Any]] = []
        self.baselines: dict[str, dict[str, float | None]] = {}
        self.scores: dict[str, Scores] = {}
        self.clips: dict[str, dict[str, Any]] = {}
        self.strips: list[Strip] = []

    def measure(self, clips: list[Path], progress: Progress) -> None:
        """Measure every clip.

        Raises:
            BadInputError: a clip cannot be used.
            CodecError: a codec failed.
            ChildFailedError: a call failed.
        """
        steps = len(clips) * (1 + len(self._presets) + len(self.codecs))
        task = progress.add_task("measuring", total=steps)
        for clip in clips:
            progress.update(task, description=f"{clip.stem}: reading")
            material = load(clip, self._model, self._frames)
            self._describe(material)
            sweep = Sweep(
                material, self._model, self._networks, self._store, self._circumstances(clip)
            )

            def notice(text: str, name: str = material.name) -> None:
                progress.update(task, description=f"{name}: {text}")

            preset, records = self._reference_preset(), []
            baselines = sweep.baselines(preset, _weights_digest(preset), notice)
            self._add_baselines(material.name, baselines)
            progress.advance(task)
            for found in self._codecs_of(sweep, notice):
                records += found
                progress.advance(task)
            for record in records:
                self._add(record)
            self.strips.append(Strip(material.name, sweep.sampled, sweep.originals(), records))

    def _codecs_of(self, sweep: Sweep, notice: Any) -> Iterator[list[Record]]:
        for preset in self._presets:
            yield list(sweep.neural(preset, CALL_S, _weights_digest(preset), notice))
        for codec in self.codecs:
            yield list(sweep.codec(codec, notice))

    def results(self) -> dict[str, Any]:
        """Return what the JSON holds."""
        return {
            "about": self._about(),
            "points": self.points,
            "baselines": self.baselines,
            "summary": {name: self._summary(name) for name in self._measured()},
        }

    def _measured(self) -> list[str]:
        return list(dict.fromkeys(point["codec"] for point in self.points))

    def _summary(self, name: str) -> dict[str, Any]:
        own = [point for point in self.points if point["codec"] == name]
        curve = own_curve(own) if name.startswith(OURS) else codec_curve(own)
        return {"floor": curve[0], "curve": curve}

    def _about(self) -> dict[str, Any]:
        return {
            "frames": self._frames,
            "picture": "256x256 RGB, the first frame is the reference and not scored",
            "call_seconds": CALL_S,
            "swept_to_kbps": MOST_KBPS,
            "header_bytes": HEADER_BYTES,
            "packet_bytes": PACKET_BYTES,
            "not_charged_to_codecs": "RTP payload headers, RTCP, connectivity checks",
            "judged_every": {metric.key: metric.every for metric in METRICS},
            "identical_db": IDENTICAL_DB,
            "left_out": self.left_out,
            "clips": self.clips,
            "ffmpeg_libraries": {
                name: ".".join(map(str, version)) for name, version in av.library_versions.items()
            },
        }

    def _add(self, record: Record) -> None:
        point = record.point
        self.points.append(point)
        self.scores[f"{point['clip']}/{point['codec']}/{point['setting']}"] = record.scores

    def _add_baselines(self, clip: str, records: dict[str, Record]) -> None:
        self.baselines[clip] = {
            f"{name}_{metric.key}": record.point[metric.key]
            for name, record in records.items()
            for metric in METRICS
        }
        for name, record in records.items():
            self.scores[f"{clip}/baseline/{name}"] = record.scores

    def _describe(self, material: Material) -> None:
        crop = material.crop
        self.clips[material.name] = {
            "frames": len(material.pictures),
            "fps": float(material.fps),
            "start_s": material.start_s,
            "crop": {"left": crop.left, "top": crop.top, "side": crop.side},
            "frames_without_face": len(material.pictures) - len(material.frames),
        }
        path = self._out / "frames" / f"{material.name}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lossless(path, material.pictures, material.fps)

    def _circumstances(self, clip: Path) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "clip": file_digest(clip),
            "frames": self._frames,
            "av": av.__version__,
            "missing": sorted(self._networks.missing),
        }

    def _reference_preset(self) -> str:
        return (self._presets or shipped(_WEIGHTS))[0]


def known() -> dict[str, set[str]]:
    """Return every name that `--codecs` takes, with what it answers to beside it."""
    ours = {f"{OURS}-{preset}": {OURS} for preset in shipped(_WEIGHTS)}
    return ours | {codec.name: {codec.family} for codec in CODECS}


def _weights_digest(preset: str) -> str:
    """Return what stands for the networks, the face model and the wire's table."""
    networks = [_WEIGHTS / f"{preset}-{part}.onnx" for part in ("encoder", "generator")]
    assets = sorted(path for path in _ASSETS.iterdir() if path.is_file())
    return file_digest(*networks, *assets)


def table(results: dict[str, Any]) -> Table:
    """Return the means over clips for people to read."""
    shown = [metric for metric in METRICS if metric.key in CONSOLE]
    heads = ("codec", "at", "wire kbps", "I kB", *(metric.key for metric in shown))
    made = Table(*(Column(head, no_wrap=True) for head in heads))
    for name, summary in results["summary"].items():
        for point in summary["curve"]:
            values = [(metric, point[metric.key]) for metric in shown]
            made.add_row(
                name,
                point["at"],
                f"{point['wire_kbps']:.1f}",
                f"{point['reference_bytes'] / 1000:.1f}",
                *("-" if v is None else f"{v:.{metric.digits}f}" for metric, v in values),
            )
    return made


def write(out: Path, run: Run) -> dict[str, Any]:
    """Write everything that a run leaves; returns what the JSON holds."""
    results = run.results()
    write_result(out / "rate_distortion.json", results)
    frames = {name: rounded(scores) for name, scores in run.scores.items()}
    (out / "rate_distortion_frames.json").write_text(json.dumps(frames) + "\n", "utf-8")
    draw(out / "rate_distortion.png", results)
    write_report(out / "report.html", results, run.strips)
    return results


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each showing a face.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("build/rd"),
    frames: Annotated[
        int, typer.Option(min=20, help="Frames of each clip, from its first face on.")
    ] = FRAMES,
    codecs: Annotated[
        str | None,
        typer.Option(help="What to measure, with commas between; all by default."),
    ] = None,
    packages: Annotated[
        Path, typer.Option(help="Where the judging networks are kept (105 MB, fetched once).")
    ] = Path("build/packages"),
) -> None:
    """Measure bits against picture, this call's and real codecs', on a folder of clips."""
    names = list(known()) if codecs is None else chosen(codecs.split(","), known())
    found, console = clips_in(clips), Console()
    lacking = {codec.name for codec in CODECS if not codec.is_there}
    if lacking.issuperset(names):
        raise BadInputError(f"nothing is left to measure of {', '.join(names)}: name another codec")
    run = Run(out, frames, names, Networks(packages))
    for name, reason in run.left_out.items():
        console.print(f"left out: {name}: {reason}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as progress:
        run.measure(found, progress)
    console.print(table(write(out, run)))
    console.print(f"The plots, the pictures and what they mean: {out / 'report.html'}")


if __name__ == "__main__":
    run_command(main)
