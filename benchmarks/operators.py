"""Where the milliseconds of one picture go: kinds of operations on a CPU's engines.

    python -m benchmarks.operators --out OUT

runs the generator on the shipped sample in one thread, on ONNX Runtime with the exported network
and with the 8-bit one, and on OpenVINO as a call does, and asks each engine how long its operations
took. Rounds take turns. Writes `OUT/operators.json`, `OUT/operators.png` and a table; a whole
picture's time is taken without the engine's own clocks, which cost some.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import onnxruntime as ort
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.results import machine, write_result
from models.engine.interface import Floats
from models.engine.on_onnxruntime import CpuEngine
from models.engine.on_openvino import computes_bf16, open_core
from models.engine.sample import read_sample
from models.engine.signature import inputs_of
from models.engine.weights import Weights, find_weights
from shared.command import run_command
from shared.errors import BadInputError

# The first whose part is in an operation's name has it: "Convert" is no convolution.
GROUPS = {
    "to 8 bits and back": ("quantize", "convert"),
    "convolutions": ("conv",),
    "warps": ("gridsample",),
    "moving data": (
        "transpose", "reorder", "concat", "split", "slice", "depthtospace", "reshape", "gather",
        "expand",
    ),
    "norms": ("instancenorm", "mvn"),
    "smaller and larger": ("pool", "resize", "interpolate"),
}  # fmt: skip
REST = "arithmetic"
WARM_UP = 5
Inputs = dict[str, Floats]
Spent = dict[str, float]  # milliseconds by group


@dataclass(slots=True)
class Case:
    """An engine with a network.

    Attributes:
        name: for people to read.
        run: makes one picture.
        profile: makes some with the engine's clocks on; returns milliseconds a picture.
        times_ms: of the pictures made by `run`.
    """

    name: str
    run: Callable[[], object]
    profile: Callable[[int], Spent]
    times_ms: list[float] = field(default_factory=list)


def group_of(kind: str) -> str:
    """Return the group that a kind of operation, as an engine names it, belongs to."""
    lower = kind.lower()
    found = (name for name, parts in GROUPS.items() if any(part in lower for part in parts))
    return next(found, REST)


def on_onnxruntime(name: str, path: Path, inputs: Inputs) -> Case:
    """Return ONNX Runtime with a network."""

    def session(prefix: str = "") -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        if prefix:
            options.enable_profiling, options.profile_file_prefix = True, prefix
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def profile(rounds: int) -> Spent:
        with tempfile.TemporaryDirectory() as folder:
            opened = session(str(Path(folder) / "profile"))
            for _ in range(rounds):
                opened.run(None, given)
            events = json.loads(Path(opened.end_profiling()).read_text())
        spent: Spent = defaultdict(float)
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                spent[group_of(event["args"]["op_name"])] += event["dur"] / 1000 / rounds
        return dict(spent)

    plain = session()
    given = {entry.name: inputs[entry.name] for entry in plain.get_inputs()}
    return Case(name, lambda: plain.run(None, given), profile)


def on_openvino(name: str, path: Path, inputs: Inputs) -> Case:
    """Return OpenVINO with a network."""
    core = open_core()

    def request(clocks: bool) -> Any:
        precision = "bf16" if computes_bf16(core) else "f32"
        settings = {
            "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "PERF_COUNT": clocks,
        }  # fmt: skip
        return core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()

    def profile(rounds: int) -> Spent:
        made = request(clocks=True)
        spent: Spent = defaultdict(float)
        for _ in range(rounds):
            made.infer(given)
            for step in made.profiling_info:
                taken = 1000 * step.real_time.total_seconds()
                if taken > 0:
                    spent[group_of(step.node_type)] += taken / rounds
        return dict(spent)

    plain = request(clocks=False)
    names = [entry.get_any_name() for entry in plain.model_inputs]
    given = {name: inputs[name] for name in names}
    return Case(name, lambda: plain.infer(given), profile)


def cases(weights: Weights) -> list[Case]:
    """Return the engines and networks that are compared.

    Raises:
        BadInputError: the preset has no 8-bit generator.
    """
    sample = read_sample(frames=1)
    engine = CpuEngine(weights.encoder, weights.generator)
    reference = engine.encode(sample.layers, sample.face)
    inputs = inputs_of(reference, sample.faces, sample.displacements, engine.silence, None)
    int8 = weights.on_cpu(quantised=True)
    if int8 == weights.generator:
        raise BadInputError(
            f"there is no 8-bit generator of {weights.preset}: make it with "
            "`python -m models.quantise`"
        )
    return [
        on_onnxruntime("onnxruntime, FP32", weights.generator, inputs),
        on_onnxruntime("onnxruntime, 8 bits", int8, inputs),
        on_openvino("openvino, 8 bits", int8, inputs),
    ]


def draw(path: Path, points: list[dict[str, Any]]) -> None:
    """Write the picture: a bar a case, made of its groups."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.7 * len(points) + 1.8), layout="constrained")
    axes = figure.subplots()
    names = [f"{point['case']}\n{point['median_ms']:.1f} ms" for point in points]
    left = [0.0] * len(points)
    for group in (*GROUPS, REST):
        widths = [point["groups_ms"].get(group, 0.0) for point in points]
        axes.barh(names, widths, 0.6, left, label=group)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of one picture, one thread")
    axes.legend(fontsize=8, ncols=4, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    figure.savefig(path, dpi=120)


def main(
    out: Annotated[Path, typer.Option(help="Folder for operators.json and .png.")] = Path("build"),
    preset: Annotated[str, typer.Option(help="Generator preset.")] = "lite",
    rounds: Annotated[int, typer.Option(min=1, help="Pictures of each engine.")] = 60,
) -> None:
    """Measure where the milliseconds of one picture go on a CPU."""
    compared = cases(find_weights(preset))
    for case in compared:
        for _ in range(WARM_UP):
            case.run()
    for _ in track(range(rounds), "measuring"):
        for case in compared:
            start = perf_counter()
            case.run()
            case.times_ms.append(1000 * (perf_counter() - start))
    points: list[dict[str, Any]] = [
        {"case": case.name, "median_ms": median(case.times_ms), "groups_ms": case.profile(rounds)}
        for case in compared
    ]
    out.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "preset": preset, "points": points}
    write_result(out / "operators.json", result)
    draw(out / "operators.png", points)
    table = Table("milliseconds", *(case.name for case in compared))
    for group in (*GROUPS, REST):
        table.add_row(group, *(f"{point['groups_ms'].get(group, 0.0):.1f}" for point in points))
    table.add_row("a whole picture", *(f"{point['median_ms']:.1f}" for point in points))
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
