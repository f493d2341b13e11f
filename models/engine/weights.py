"""The files of a preset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from shared.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks that fit each other."""

    encoder: Path
    generator: Path


@dataclass(frozen=True, slots=True)
class Weights:
    """What is shipped of a preset.

    Attributes:
        preset: its name.
        encoder: reference encoder, ONNX, FP32.
        generator: likewise.
        cpu: the same for ONNX Runtime on a CPU (`models.quantise`), where there is one.
    """

    preset: str
    encoder: Path
    generator: Path
    cpu: Pair | None

    @property
    def digest(self) -> str:
        """SHA-256 of both networks, hexadecimal."""
        whole = hashlib.sha256()
        for path in (self.encoder, self.generator):
            whole.update(path.read_bytes())
        return whole.hexdigest()


def find_weights(preset: str, folder: Path | None = None) -> Weights:
    """Return a preset's files, the shipped ones by default.

    Raises:
        BadInputError: there are no (whole) weights of that preset.
    """
    folder = folder or Path(str(resources.files("models") / "weights"))
    paths = [folder / f"{preset}-{part}.onnx" for part in ("encoder", "generator")]
    if not all(path.is_file() for path in paths):
        raise BadInputError(
            f"there are no weights for the preset {preset!r}: use one of "
            f"{', '.join(shipped(folder)) or 'none (train one first)'}"
        )
    cpu = Pair(*cpu_paths(preset, folder))
    whole = cpu.encoder.is_file() and cpu.generator.is_file()
    return Weights(preset, paths[0], paths[1], cpu if whole else None)


def cpu_paths(preset: str, folder: Path) -> tuple[Path, Path]:
    """Return where the networks for a CPU lie."""
    return folder / f"{preset}-cpu-encoder.onnx", folder / f"{preset}-cpu-generator.onnx"


def shipped(folder: Path) -> list[str]:
    """Return the presets that a folder holds weights of."""
    names = (path.name.removesuffix("-generator.onnx") for path in folder.glob("*-generator.onnx"))
    return sorted(name for name in names if not name.endswith("-cpu"))
