"""What the processor offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.engine.processors import multiplies_bytes, processors, share_out


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse avx512_vnni avx512_bf16", True),
        ("fpu sse avx2 avx_vnni", True),
        ("fpu sse avx2 avx512f", False),
        ("", False),
    ],
)
def test_bytes_are_multiplied_where_the_processor_says_so(
    tmp_path: Path, flags: str, expected: bool
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert multiplies_bytes(path) is expected
    assert not multiplies_bytes(tmp_path / "none")


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 3)), (64, (2, 4))]
)
def test_processors_are_shared_out(count: int, expected: tuple[int, int]) -> None:
    assert share_out(count) == expected


def test_there_is_one_at_least() -> None:
    assert processors() >= 1
