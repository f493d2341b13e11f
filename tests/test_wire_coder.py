"""Symbols as the range coder's bytes."""

from __future__ import annotations

import constriction
import numpy as np
import pytest

from shared.wire_coder import CLASS_MODEL, Coded, pack, unpacker
from shared.wire_errors import EntropyError
from shared.wire_table import DELTA_CLASSES

SKEWED = constriction.stream.model.Categorical(np.array([0.9, 0.05, 0.03, 0.02]), perfect=False)


def parts(seed: int) -> list[Coded]:
    random = np.random.default_rng(seed)
    drawn = [random.choice(4, 20, p=[0.9, 0.05, 0.03, 0.02]) for _ in range(3)]
    return [
        part
        for row in drawn
        for part in (
            Coded((CLASS_MODEL,), random.integers(0, DELTA_CLASSES, 1)),
            Coded((SKEWED,) * 20, row),
        )
    ]


@pytest.mark.parametrize("seed", range(20))
def test_symbols_come_back(seed: int) -> None:
    coded = parts(seed)
    take, finish = unpacker(pack(coded))
    for part in coded:
        np.testing.assert_array_equal(take(part.models), part.symbols)
    finish()


@pytest.mark.parametrize("seed", range(20))
def test_no_byte_could_be_left_out(seed: int) -> None:
    coded = parts(seed)
    data = pack(coded)
    take, _ = unpacker(data[:-1])
    try:
        found = [take(part.models).tolist() for part in coded]
    except EntropyError:
        return
    assert found != [part.symbols.tolist() for part in coded]


@pytest.mark.parametrize("seed", range(20))
def test_there_is_one_encoding(seed: int) -> None:
    coded = parts(seed)
    for extra in (b"\x00", b"\x01", b"\xff\xff\xff\xff\xff"):
        take, finish = unpacker(pack(coded) + extra)
        with pytest.raises(EntropyError):  # noqa: PT012 - whichever notices first
            for part in coded:
                take(part.models)
            finish()


def test_nothing_costs_nothing_and_likely_symbols_little() -> None:
    assert pack([]) == b""
    assert len(pack([Coded((SKEWED,) * 40, np.zeros(40, np.int64))])) <= 1
    assert len(pack([Coded((SKEWED,) * 40, np.full(40, 3))])) >= 27
