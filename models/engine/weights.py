"""The files of a preset."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from shared.errors import BadInputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """What is shipped of a preset.

    Attributes:
        preset: its name.
        encoder: reference encoder, ONNX, FP32.
        generator: likewise.
        int8: the generator with most convolutions in 8 bits (`models.quantise`), where there is
            one.
    """

    preset: str
    encoder: Path
    generator: Path
    int8: Path | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of both networks, hexadecimal."""
        whole = hashlib.sha256()
        for path in (self.encoder, self.generator):
            whole.update(path.read_bytes())
        return whole.hexdigest()

    def on_cpu(self, quantised: bool) -> Path:
        """Return the generator for a CPU.

        Args:
            quantised: whether to take the 8-bit one, if there is one that was made of this one.
        """
        if not quantised or self.int8 is None:
            return self.generator
        if self.digest.encode() in self.int8.read_bytes():
            return self.int8
        log.warning(
            "%s was made from other weights and is not used; make it again with "
            "`python -m models.quantise`",
            self.int8,
        )
        return self.generator


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
    int8 = int8_path(preset, folder)
    return Weights(preset, paths[0], paths[1], int8 if int8.is_file() else None)


def int8_path(preset: str, folder: Path) -> Path:
    """Return where a preset's 8-bit generator lies."""
    return folder / f"{preset}-int8-generator.onnx"


def shipped(folder: Path) -> list[str]:
    """Return the presets that a folder holds weights of."""
    names = (path.name.removesuffix("-generator.onnx") for path in folder.glob("*-generator.onnx"))
    return sorted(name for name in names if not name.endswith("-int8"))
