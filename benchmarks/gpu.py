"""How near the generator comes to what a GPU can do; needs nothing from the network.

    python -m benchmarks.gpu --out benchmarks/results

measures the presets at several batches on every engine that is installed: median and 95th
percentile, frames a second, watts where they can be read, and the ratio to the two limits: the
network's operations over a measured rate of matrix products, and its bytes over a measured rate of
copies. Weights are random where a preset has none. Writes `OUT/gpu-MACHINE.json`. Without a GPU it
measures the CPU, which shows that it runs.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from models.engine import DISPLACEMENT, FACES, Engine, EngineUnavailableError
from models.engine.builder import TENSORRT, TENSORRT_RTX
from models.engine.compiled import load_compiled
from models.engine.on_onnxruntime import CudaEngine
from models.engine.store import Store
from models.engine.weights import Weights, find_weights
from models.export import export, sample_inputs
from models.headgan import HeadGan, ReferenceFeatures
from models.presets import preset as preset_of
from shared.command import run_command
from shared.errors import HeadCallError

Run = Callable[[], None]
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine can do at most, measured.

    Attributes:
        matmul_flops: floating-point operations a second of large matrix products.
        copy_bytes: bytes a second of a large copy, read and written.
    """

    matmul_flops: float
    copy_bytes: float


@dataclass(frozen=True, slots=True)
class Work:
    """What one frame takes at least.

    Attributes:
        flops: operations of the convolutions, two for a multiplication and addition.
        bytes: of what the convolutions read and write, once each, and their weights.
    """

    flops: float
    bytes: float


def work_of(network: HeadGan, element: int) -> Work:
    """Count the convolutions of one frame; an element has so many bytes."""
    flops, moved = 0.0, 0.0

    def count(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal flops, moved
        assert isinstance(layer, nn.Conv2d)
        flops += 2 * result.numel() * layer.weight[0].numel()
        moved += element * (given[0].numel() + result.numel() + layer.weight.numel())

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    run, handles = forward_of(network, 1), [layer.register_forward_hook(count) for layer in layers]
    run()
    for handle in handles:
        handle.remove()
    return Work(flops, moved)


def forward_of(network: HeadGan, batch: int) -> Run:
    """Return what runs the network on frames that lie on its device already."""
    device, dtype = next(network.parameters()).device, next(network.parameters()).dtype
    encoder, frame = ({k: v.to(device) for k, v in part.items()} for part in sample_inputs(0))
    with torch.inference_mode(), autocast(device, dtype):
        features = network.encode(*encoder.values())
        features = ReferenceFeatures(*(value.repeat(batch, 1, 1, 1) for value in features))
    given = [value.repeat(batch, 1, 1, 1) for value in frame.values()]

    def run() -> None:
        with torch.inference_mode(), autocast(device, dtype):
            network(*given, features)

    return run


def autocast(device: torch.device, _: torch.dtype) -> Any:
    """Return the precision that is measured: BF16 convolutions on a GPU, FP32 on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def measure_limits(device: torch.device, side: int) -> Limits:
    """Measure the machine's rates of matrix products and copies, the best of a few."""
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    source, target = (torch.empty(8 * side * side, device=device) for _ in range(2))
    wait = synchroniser(device)
    multiply = min(sample(lambda: torch.matmul(a, b), wait, 5))
    copy = min(sample(lambda: target.copy_(source), wait, 5))
    return Limits(2 * side**3 / multiply, 2 * 4 * source.numel() / copy)


def synchroniser(device: torch.device) -> Run:
    """Return what waits for a device."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


def sample(run: Callable[[], Any], wait: Run, times: int) -> list[float]:
    """Return the seconds of several runs, after some that do not count."""
    seconds = []
    for number in range(times + WARM_UP):
        wait()
        start = perf_counter()
        run()
        wait()
        if number >= WARM_UP:
            seconds.append(perf_counter() - start)
    return seconds


def graph_of(run: Run) -> Run:
    """Return a CUDA graph of what runs on the GPU."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(side):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def candidates(
    network: HeadGan, weights: Weights, batch: int, folder: Path, skip: list[str]
) -> Iterator[tuple[str, Callable[[], Run]]]:
    """Yield every way to run the network, by name, each with what prepares it."""
    device = next(network.parameters()).device
    on_gpu = device.type == "cuda"
    yield "torch eager", lambda: forward_of(network, batch)
    if "compile" not in skip:
        yield "torch.compile", lambda: forward_of(compiled(network), batch)
    if on_gpu:
        yield "torch CUDA graphs", lambda: graph_of(forward_of(network, batch))
        yield "onnxruntime CUDA", lambda: engine_run(CudaEngine(weights), batch)
        yield (
            TENSORRT.engine,
            lambda: engine_run(load_compiled(TENSORRT, weights, batch, Store(folder)), batch),
        )
        yield (
            TENSORRT_RTX.engine,
            lambda: engine_run(load_compiled(TENSORRT_RTX, weights, batch, Store(folder)), batch),
        )
    else:
        for name in ("onnxruntime", "openvino"):
            yield name, partial(on_cpu, name, weights, batch, folder)


def on_cpu(name: str, weights: Weights, batch: int, folder: Path) -> Run:
    """Return what runs one of the CPU's engines."""
    return engine_run(Engine.load(weights.preset, name, folder), batch)


def compiled(network: HeadGan) -> Any:
    """Return the network after torch.compile; what it encodes is not compiled."""
    network.forward = torch.compile(network.forward)  # type: ignore[method-assign]
    return network


def engine_run(engine: Engine, batch: int) -> Run:
    """Return what runs an engine as a call does, copies to and from the GPU included."""
    encoder, frame = sample_inputs(0)
    references = [engine.encode(*(value.numpy() for value in encoder.values()))] * batch
    faces = np.repeat(frame["faces"].numpy(), batch, axis=0)
    displacements = np.repeat(frame["displacement"].numpy(), batch, axis=0)
    assert faces.shape[1:] == FACES[1:]
    assert displacements.shape[1:] == DISPLACEMENT[1:]

    def run() -> None:
        engine.generate_batch(references, faces, displacements)

    return run


def watts() -> float | None:
    """Return what the first GPU draws, where nvidia-smi says so."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "-i", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    with suppress(ValueError):
        return float(done.stdout.strip())
    return None


def point(seconds: list[float], batch: int, work: Work, limits: Limits) -> dict[str, Any]:
    """Return the figures of one way at one batch."""
    median = float(np.median(seconds))
    return {
        "median_ms": 1000 * median,
        "p95_ms": 1000 * float(np.percentile(seconds, 95)),
        "fps": batch / median,
        "of_matmul_limit": batch * work.flops / limits.matmul_flops / median,
        "of_copy_limit": batch * work.bytes / limits.copy_bytes / median,
        "watts": watts(),
    }


def measure_preset(
    name: str, batches: list[int], times: int, limits: Limits, device: torch.device, skip: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield the figures of a preset, way by way; a way that fails says why."""
    torch.manual_seed(0)
    network = HeadGan(preset_of(name)).eval()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        export(network, folder)
        network, weights = network.to(device), find_weights(name, folder)
        work = work_of(network, 2 if device.type == "cuda" else 4)
        for batch in batches:
            for way, prepare in candidates(network, weights, batch, folder, skip):
                result: dict[str, Any] = {"preset": name, "batch": batch, "engine": way}
                try:
                    seconds = sample(prepare(), synchroniser(device), times)
                    yield result | point(seconds, batch, work, limits)
                except (EngineUnavailableError, HeadCallError, RuntimeError) as error:
                    yield result | {"failed": (str(error) or type(error).__name__).splitlines()[0]}
                finally:
                    network.__dict__.pop("forward", None)  # what torch.compile put there


def main(
    out: Annotated[Path, typer.Option(help="Folder of the JSON.")] = Path("benchmarks/results"),
    presets: Annotated[str, typer.Option(help="Which, with commas.")] = "full,lite",
    batches: Annotated[str, typer.Option(help="Which, with commas.")] = "1,4,16,64",
    times: Annotated[int, typer.Option(help="Runs that count.", min=2)] = 50,
    side: Annotated[int, typer.Option(help="Of the matrices for the limit.", min=64)] = 8192,
    skip: Annotated[str, typer.Option(help="Leave out, with commas: compile.")] = "",
) -> None:
    """Measure the generator on this machine's GPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    named = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine() + "-cpu"
    limits, points, console = measure_limits(device, side), [], Console()
    table = Table("preset", "batch", "engine", "median ms", "p95 ms", "fps", "of matmul", "of copy")
    for name in presets.split(","):
        sizes = [int(batch) for batch in batches.split(",")]
        for one in measure_preset(name, sizes, times, limits, device, skip.split(",")):
            points.append(one)
            cells = (
                [one["failed"]]
                if "failed" in one
                else [
                    f"{one[key]:.2f}"
                    for key in ("median_ms", "p95_ms", "fps", "of_matmul_limit", "of_copy_limit")
                ]
            )
            table.add_row(name, str(one["batch"]), one["engine"], *cells)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"gpu-{named.replace(' ', '-').lower()}.json"
    machine = {"device": named, "torch": torch.__version__, "python": platform.python_version()}
    result = {"machine": machine, "limits": asdict(limits), "points": points}
    path.write_text(json.dumps(result, indent=1))
    console.print(table)
    console.print(f"written to {path}")


if __name__ == "__main__":
    run_command(main)
