"""Everything that is measured on one clip: us, the codecs, and doing without either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.codecs import Codec, code
from benchmarks.material import Material
from benchmarks.neural import CallRates, Rebuilder, call
from benchmarks.packets import rates
from benchmarks.records import Record, Store
from benchmarks.scores import Networks, Scorer, means
from models.engine import Engine
from receiver.generator import Generator
from shared.face_model import FaceModel
from shared.latency import Latency
from shared.metrics import psnr
from shared.pictures import Image

OURS = "headcall"
BASELINE = "baseline"
MOST_KBPS = 60.0  # on the wire: what is measured of a codec ends here
# Of a clip's frames by their distance from the reference: the two that are shown in the report.
SAMPLED_AT = (0.25, 0.75)

# A sender that sends fewer of its clip's frames than this shares its machine with something.
KEPT_UP = 0.95

Notice = Callable[[str], None]


def too_busy(point: dict[str, Any]) -> bool:
    """Say whether the machine was too busy for the point's call, so that its rate is too low."""
    return bool(point.get("sent_fps", point["fps"]) < KEPT_UP * point["fps"])


class Sweep:
    """Measures one clip; what the store holds is not measured again."""

    def __init__(
        self,
        material: Material,
        model: FaceModel,
        networks: Networks,
        store: Store,
        circumstances: dict[str, Any],
    ) -> None:
        """Prepare to measure.

        Args:
            material: the clip.
            model: the face model.
            networks: those that judge.
            store: keeps what is finished.
            circumstances: what all measurements of the clip depend on.
        """
        self._material, self._model, self._networks = material, model, networks
        self._store, self._circumstances = store, circumstances
        self._calls: dict[Latency, CallRates] = {}
        self._rebuilders: dict[str, Rebuilder] = {}

    def codec(self, codec: Codec, notice: Notice) -> Iterator[Record]:
        """Yield a codec's points from its floor to the last below `MOST_KBPS`."""
        for quantiser in codec.ladder:
            setting = f"q {quantiser}"
            notice(f"{codec.name}, {setting}")
            command = codec.command(quantiser, f"frames/{self._material.name}.mkv")
            circumstances = {"ffmpeg": command}
            record = self._find(codec.name, setting, circumstances)
            if record is None:
                coded = code(codec, quantiser, self._material.pictures, self._material.fps)
                cost = rates(coded.sizes, float(self._material.fps))
                if cost.wire_kbps > MOST_KBPS and quantiser != codec.ladder[0]:
                    return
                extras = {"ffmpeg": command, "keys": coded.keys}
                record = self._measure(
                    codec.name, setting, asdict(cost) | extras, coded.pictures, circumstances
                )
            yield record
            if record.point["wire_kbps"] > MOST_KBPS:
                return

    def neural(self, preset: str, seconds: float, weights: str, notice: Notice) -> Iterator[Record]:
        """Yield our points, one a latency setting, each from a call of `seconds`.

        What was kept of a call for which the machine was too busy is measured again.
        """
        for latency in Latency:
            notice(f"{OURS}-{preset}, {latency.value}")
            circumstances = {"weights": weights, "seconds": seconds}
            record = self._find(f"{OURS}-{preset}", latency.value, circumstances)
            if record is None or too_busy(record.point):
                if latency not in self._calls:
                    self._calls[latency] = call(self._material, latency, seconds)
                pictures = self._rebuilder(preset).rebuild(latency)
                cost = asdict(self._calls[latency])
                record = self._measure(
                    f"{OURS}-{preset}", latency.value, cost, pictures, circumstances
                )
            yield record

    def baselines(self, preset: str, weights: str, notice: Notice) -> dict[str, Record]:
        """Return what showing the reference scores, and moving it by the mesh alone."""
        found = {}
        for name in ("copy", "mesh_warp"):
            notice(name.replace("_", " "))
            circumstances = {"weights": weights}
            record = self._find(BASELINE, name, circumstances)
            if record is None:
                rebuilder = self._rebuilder(preset)
                pictures = rebuilder.copies() if name == "copy" else rebuilder.warps()
                record = self._measure(BASELINE, name, {}, pictures, circumstances)
            found[name] = record
        return found

    @cached_property
    def sampled(self) -> list[int]:
        """The frames that the report shows, by their number."""
        pictures = self._material.pictures
        near = [psnr(picture, pictures[0]) for picture in pictures[1:]]
        order = np.argsort(near, kind="stable")
        return [1 + int(order[int(share * (len(order) - 1))]) for share in SAMPLED_AT]

    def originals(self) -> list[Image]:
        """Return the frames themselves that the report shows."""
        return [self._material.pictures[number] for number in self.sampled]

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self._material, self._networks)

    def _rebuilder(self, preset: str) -> Rebuilder:
        if preset not in self._rebuilders:
            generator = Generator(Engine.load(preset), self._model)
            self._rebuilders[preset] = Rebuilder(self._material, generator, self._model)
        return self._rebuilders[preset]

    def _find(self, codec: str, setting: str, own: dict[str, Any]) -> Record | None:
        return self._store.find(self._material.name, codec, setting, self._circumstances | own)

    def _measure(
        self,
        codec: str,
        setting: str,
        extras: dict[str, Any],
        pictures: list[Image],
        own: dict[str, Any],
    ) -> Record:
        scores = self._scorer.score(pictures)
        point = {
            "clip": self._material.name,
            "codec": codec,
            "setting": setting,
            "frames": len(self._material.pictures),
            "fps": float(self._material.fps),
            **extras,
            **means(scores),
        }
        record = Record(point, scores, [pictures[number] for number in self.sampled])
        self._store.keep(record, self._circumstances | own)
        return record
