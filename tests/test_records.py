"""What is kept of a run: found again only in the same circumstances, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.records import Record, Store, file_digest, rounded

CIRCUMSTANCES = {"frames": 100, "weights": "abc"}


def record(setting: str = "q 51") -> Record:
    samples = [np.full((8, 8, 3), (level, 20, 30), np.uint8) for level in (10, 200)]
    point = {"clip": "a clip", "codec": "x264", "setting": setting, "psnr": 31.25}
    return Record(point, {"psnr": [30.123456, None], "ssim": [0.912345, 1.0]}, samples)


def test_a_record_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(record(), CIRCUMSTANCES)
    found = Store(tmp_path).find("a clip", "x264", "q 51", CIRCUMSTANCES)
    assert found is not None
    assert found.point == record().point
    assert found.scores == {"psnr": [30.123, None], "ssim": [0.9123, 1.0]}
    for kept, given in zip(found.samples, record().samples, strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize("change", [{"frames": 101}, {"weights": "abd"}, {"more": 1}])
def test_other_circumstances_are_another_measurement(
    tmp_path: Path, change: dict[str, object]
) -> None:
    store = Store(tmp_path)
    store.keep(record(), CIRCUMSTANCES)
    assert store.find("a clip", "x264", "q 51", CIRCUMSTANCES | change) is None
    assert store.find("a clip", "x264", "q 48", CIRCUMSTANCES) is None


def test_what_was_cut_short_is_measured_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(record(), CIRCUMSTANCES)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text()[:40])
    assert store.find("a clip", "x264", "q 51", CIRCUMSTANCES) is None
    store.keep(record(), CIRCUMSTANCES)
    path.with_suffix(".png").unlink()
    assert store.find("a clip", "x264", "q 51", CIRCUMSTANCES) is None


def test_small_numbers_keep_four_decimals() -> None:
    assert rounded({"a": [0.12345, 12.34567, None]}) == {"a": [0.1235, 12.346, None]}


def test_a_files_digest_is_of_its_contents(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    assert file_digest(one) == file_digest(other)
    other.write_bytes(b"else")
    assert file_digest(one) != file_digest(other)
