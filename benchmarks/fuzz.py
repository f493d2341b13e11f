"""Damaged messages by the million through every decoder.

    python -m benchmarks.fuzz --out OUT [--count N] [--seed S]

writes `OUT/fuzz.json`: for each decoder how many messages it read and refused, and the worst
time of one, and saves what it fell over into `OUT/crashers` (move it to `tests/fixtures/crashers`
with the fix). `tests/test_fuzz.py` runs the same million, and asserts on work and memory instead
of time, which other programs on the machine would stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import thread_time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.decoders import DECODERS, RENEW, Decoder
from benchmarks.mutator import Mutator
from benchmarks.results import machine, write_result
from shared.command import run_command
from shared.errors import BadInputError

MILLION = 1_000_000
_TICK = 1000
_MOST_FAILURES = 20


@dataclass(slots=True)
class Outcome:
    """What a decoder made of its messages.

    Attributes:
        messages: how many it was given.
        refused: how many it refused, as it should.
        worst_ms: the most processor time that reading one took.
        worst: that message, hexadecimal.
        failures: message and error of what escaped, the first few.
    """

    messages: int = 0
    refused: int = 0
    worst_ms: float = 0.0
    worst: str = ""
    failures: list[tuple[bytes, str]] = field(default_factory=list)


def fuzz(
    decoder: Decoder, count: int, seed: int, tick: Callable[[int], None] = lambda _: None
) -> Outcome:
    """Give a decoder damaged messages.

    Args:
        decoder: what reads them.
        count: how many.
        seed: the same one damages the same way.
        tick: told now and then how many more were read.
    """
    mutator = Mutator(decoder.seeds(), seed, decoder.longest)
    outcome, worst_s = Outcome(count), 0.0
    read = decoder.make()
    for number in range(count):
        if number % RENEW == 0:
            read = decoder.make()
        if number % _TICK == 0:
            tick(min(_TICK, count - number))
        data = mutator.next()
        start = thread_time()
        try:
            read(data)
        except decoder.refusals:
            outcome.refused += 1
        except BaseException as error:  # constriction's panics are no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            if len(outcome.failures) < _MOST_FAILURES:
                outcome.failures.append((data, repr(error)))
        took_s = thread_time() - start
        if took_s > worst_s:
            worst_s, outcome.worst = took_s, data[:200].hex()
    outcome.worst_ms = worst_s * 1000
    return outcome


def main(
    out: Annotated[Path, typer.Option(help="Folder for fuzz.json and crashers.")] = Path("build"),
    count: Annotated[int, typer.Option(help="How many messages in all.", min=1000)] = MILLION,
    seed: Annotated[int, typer.Option(help="Another one damages in another way.")] = 1,
) -> None:
    """Run damaged messages through every decoder."""
    crashers = out / "crashers"
    crashers.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, Outcome] = {}
    with Progress() as progress:
        task = progress.add_task("reading", total=count)
        for decoder in DECODERS:
            share = max(1, decoder.share * count // MILLION)
            outcomes[decoder.name] = fuzz(
                decoder, share, seed, lambda more: progress.update(task, advance=more)
            )
    for name, outcome in outcomes.items():
        for number, (data, _) in enumerate(outcome.failures):
            (crashers / f"{name}-{seed}-{number}.bin").write_bytes(data)
    _report(out, outcomes)
    failed = [name for name, outcome in outcomes.items() if outcome.failures]
    if failed:
        raise BadInputError(f"{', '.join(failed)} fell over; the messages are in {crashers}")


def _report(out: Path, outcomes: dict[str, Outcome]) -> None:
    table = Table("decoder", "messages", "refused", "worst ms", "fell over")
    result = {}
    for name, outcome in outcomes.items():
        errors = [error for _, error in outcome.failures]
        result[name] = asdict(outcome) | {"failures": errors}
        figures = (outcome.messages, outcome.refused, f"{outcome.worst_ms:.2f}")
        table.add_row(name, *map(str, figures), "\n".join(sorted(set(errors))[:3]))
    write_result(out / "fuzz.json", {"machine": machine(), "decoders": result})
    Console().print(table)


if __name__ == "__main__":
    run_command(main)
