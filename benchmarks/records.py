"""Finished measurements on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.scores import Scores
from shared.pictures import Image


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement.

    Attributes:
        point: its figures, as the results list them.
        scores: each metric of each frame after the first.
        samples: a few of the pictures, to look at.
    """

    point: dict[str, Any]
    scores: Scores
    samples: list[Image]


class Store:
    """A folder of records, each good only for the circumstances it was measured in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(
        self, clip: str, codec: str, setting: str, circumstances: dict[str, Any]
    ) -> Record | None:
        """Return a record; None where there is none, or one of other circumstances."""
        path = self._path(clip, codec, setting)
        try:
            kept = json.loads(path.read_text("utf-8"))
            sheet = cv2.imread(str(path.with_suffix(".png")))
            if kept["circumstances"] != digest(circumstances) or sheet is None:
                return None
            rgb = np.asarray(cv2.cvtColor(sheet, cv2.COLOR_BGR2RGB), np.uint8)
            samples = [np.ascontiguousarray(one) for one in np.split(rgb, kept["samples"], axis=1)]
            return Record(kept["point"], kept["scores"], samples)
        except (OSError, ValueError, KeyError, TypeError):  # cut short, or not ours
            return None

    def keep(self, record: Record, circumstances: dict[str, Any]) -> None:
        """Write a record, whole or not at all."""
        point = record.point
        path = self._path(point["clip"], point["codec"], point["setting"])
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = cv2.cvtColor(np.concatenate(record.samples, axis=1), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(path.with_suffix(".png")), sheet)
        kept = {
            "circumstances": digest(circumstances),
            "point": point,
            "scores": rounded(record.scores),
            "samples": len(record.samples),
        }
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(path)

    def _path(self, clip: str, codec: str, setting: str) -> Path:
        parts = [re.sub(r"[^\w.-]+", "-", part) for part in (clip, f"{codec} {setting}")]
        return self._folder / parts[0] / f"{parts[1]}.json"


def rounded(scores: Scores) -> Scores:
    """Return scores with three decimals, four where 1 is the most."""
    return {
        key: [None if v is None else round(v, 4 if abs(v) <= 1 else 3) for v in values]
        for key, values in scores.items()
    }


def digest(circumstances: dict[str, Any]) -> str:
    """Return what stands for everything a measurement depends on."""
    return hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()


def file_digest(*paths: Path) -> str:
    """Return what stands for the contents of files."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()
