"""A million damaged messages, and what reading one may cost."""

from __future__ import annotations

import contextlib
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import fuzz as command
from benchmarks.decoders import DECODERS, Decoder
from benchmarks.fuzz import MILLION, fuzz
from benchmarks.mutator import Mutator
from shared.errors import BadInputError

CRASHERS = Path(__file__).parent / "fixtures" / "crashers"
BY_NAME = {decoder.name: decoder for decoder in DECODERS}
every_decoder = pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)


def read(decoder: Decoder, data: bytes) -> None:
    with contextlib.suppress(*decoder.refusals):
        decoder.make()(data)


def test_the_shares_make_a_million() -> None:
    assert sum(decoder.share for decoder in DECODERS) == MILLION


@every_decoder
def test_good_messages_are_read(decoder: Decoder) -> None:
    reader = decoder.make()
    for data in decoder.seeds()[:1]:
        reader(data)


@every_decoder
@pytest.mark.timeout(600)
def test_a_million_damaged_messages(decoder: Decoder) -> None:
    outcome = fuzz(decoder, decoder.share, seed=1)
    assert outcome.failures == []
    assert 0 < outcome.refused < decoder.share or not decoder.refusals


@every_decoder
@given(data=st.data())
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_hypothesis_thinks_of(decoder: Decoder, data: Any) -> None:
    seed = data.draw(st.sampled_from(decoder.seeds()))
    head = data.draw(st.integers(0, len(seed)))
    middle = data.draw(st.binary(max_size=40))
    tail = data.draw(st.integers(0, len(seed)))
    read(decoder, seed[:head] + middle + seed[tail:])


@pytest.mark.parametrize("path", sorted(CRASHERS.glob("*.bin")), ids=lambda path: path.stem)
def test_what_once_crashed_is_refused(path: Path) -> None:
    decoder = BY_NAME[path.stem.rpartition("-")[0]]
    with work_below(decoder.lines):
        read(decoder, path.read_bytes())


def messages(decoder: Decoder, count: int) -> list[bytes]:
    mutator = Mutator(decoder.seeds(), 2, decoder.longest)
    return [*decoder.seeds(), *decoder.bombs(), *(mutator.next() for _ in range(count))]


@every_decoder
def test_memory_stays_below_the_cap(decoder: Decoder) -> None:
    inputs = messages(decoder, min(300, decoder.share))
    read(decoder, inputs[0])  # tables are read once, at the first
    tracemalloc.start()
    try:
        for data in inputs:
            reader = decoder.make()
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            with contextlib.suppress(*decoder.refusals):
                reader(data)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < decoder.peak, f"{peak} bytes for {data[:40]!r}"
    finally:
        tracemalloc.stop()


@every_decoder
def test_work_is_bounded(decoder: Decoder) -> None:
    for data in messages(decoder, min(300, decoder.share)):
        reader = decoder.make()
        with work_below(decoder.lines), contextlib.suppress(*decoder.refusals):
            reader(data)


class TooMuchWorkError(BaseException):
    """Past every ``except Exception`` on the way."""


@contextlib.contextmanager
def work_below(lines: int) -> Iterator[None]:
    """Allow so many lines of Python, and no more: an endless loop ends too."""
    left = lines

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise TooMuchWorkError(f"over {lines} lines of Python, in {frame.f_code.co_name}")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_an_endless_loop_is_seen() -> None:
    def spin() -> None:
        while True:
            pass

    with pytest.raises(TooMuchWorkError), work_below(100):
        spin()


def test_the_command_saves_what_falls_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(data: bytes) -> None:
        if len(data) > 3:
            raise IndexError(len(data))

    lame = Decoder("lame", lambda: fall, lambda: [b"abc", b"abcdef"], (ValueError,), MILLION, 1)
    monkeypatch.setattr(command, "DECODERS", (lame,))
    with pytest.raises(BadInputError, match="lame fell over"):
        command.main(tmp_path, 1000, 1)
    saved = sorted((tmp_path / "crashers").glob("lame-1-*.bin"))
    assert saved
    assert all(len(path.read_bytes()) > 3 for path in saved)
    result = json.loads((tmp_path / "fuzz.json").read_text())["decoders"]["lame"]
    assert result["messages"] == 1000
    assert result["worst_ms"] >= 0


def test_the_same_seed_damages_the_same_way() -> None:
    def some(seed: int) -> list[bytes]:
        mutator = Mutator([b"hello", b"world"], seed, 64)
        return [mutator.next() for _ in range(100)]

    assert some(1) == some(1) != some(2)
    assert all(len(data) <= 64 for data in some(3))
