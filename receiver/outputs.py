"""The paths of files that the receiver writes, checked before the call begins."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from shared.errors import BadInputError


def check_output(path: Path, endings: Iterable[str], option: str) -> None:
    """Make sure that a file can be written later, when it would be too late to ask.

    Args:
        path: the file to write.
        endings: file name endings accepted, in lower case with the dot.
        option: the command-line option, for the sentence.

    Raises:
        BadInputError: unknown ending, no such folder, or not writable.
    """
    endings = list(endings)
    if path.suffix.lower() not in endings:
        raise BadInputError(f"{option} {path}: the name must end in {' or '.join(endings)}")
    if path.is_dir():
        raise BadInputError(f"{option} {path} is a folder; give the name of a file")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BadInputError(f"{option} {path}: the folder {folder} does not exist; create it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise BadInputError(f"{option} {path} cannot be written; choose another place")


def in_room(path: Path, room: int) -> Path:
    """Return the path for a room, ``x-room2.mp4``; room 0 is the only one and adds nothing."""
    return path.with_stem(f"{path.stem}-room{room}") if room else path


def numbered(path: Path, number: int) -> Path:
    """Return the path for the n-th call of this process: ``x.mp4``, ``x-2.mp4``, and so on."""
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")
