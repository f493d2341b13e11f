"""Built engines on disk: found again by what they were made of, refused when anything differs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an engine was made of; another one is another engine.

    Attributes:
        engine: its name.
        version: of the library that built it.
        gpu: name of the GPU or compute capabilities it was built for.
        weights: digest of the networks.
        batch: how many callers share a launch.
        options: how it was built.
    """

    engine: str
    version: str
    gpu: str
    weights: str
    batch: int
    options: str

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Built:
    """An engine's bytes.

    Attributes:
        encoder: reference encoder, serialised.
        generator: likewise.
        agreement_db: how well it agreed with ONNX Runtime; None before it was checked.
    """

    encoder: bytes
    generator: bytes
    agreement_db: float | None = None


class Store:
    """A folder of built engines."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def path(self, recipe: Recipe) -> Path:
        """Return where an engine's files lie; `.json` says what they are."""
        return self.folder / f"{recipe.engine}-{recipe.digest[:24]}"

    def load(self, recipe: Recipe) -> Built | None:
        """Return the engine of a recipe; None where there is none, or it is not whole or not it."""
        base = self.path(recipe)
        try:
            note = json.loads(base.with_suffix(".json").read_text("utf-8"))
            parts = [base.with_suffix(f".{part}").read_bytes() for part in _PARTS]
            whole = note["recipe"] == asdict(recipe) and note["sha256"] == _digest(parts)
            return Built(parts[0], parts[1], note["agreement_db"]) if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, recipe: Recipe, built: Built) -> None:
        """Keep an engine; the note is written last, so half of one is never taken for whole."""
        base = self.path(recipe)
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = [built.encoder, built.generator]
        for part, data in zip(_PARTS, parts, strict=True):
            _write(base.with_suffix(f".{part}"), data)
        note = {
            "recipe": asdict(recipe),
            "sha256": _digest(parts),
            "agreement_db": built.agreement_db,
        }
        _write(base.with_suffix(".json"), json.dumps(note, indent=1).encode())

    def drop(self, recipe: Recipe) -> None:
        """Forget an engine."""
        for part in ("json", *_PARTS):
            self.path(recipe).with_suffix(f".{part}").unlink(missing_ok=True)


_PARTS = ("encoder", "generator")


def default_folder() -> Path:
    """Return the user's cache folder for engines."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "headcall" / "engines"


def _digest(parts: list[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Replace a file at once."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
