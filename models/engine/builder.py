"""Building with either TensorRT: their Python interfaces are the same."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.engine.interface import EngineUnavailableError
from models.engine.mixed import read_model, set_batch, to_mixed
from models.engine.store import Built, Recipe
from models.engine.weights import Weights

log = logging.getLogger(__name__)

Progress = Callable[[str], None]
OPTIONS = "fp16 convolutions, fp32 norms and flow, 1"  # the last is this module's own version


@dataclass(frozen=True, slots=True)
class Flavour:
    """One of the two libraries.

    Attributes:
        engine: what the command line calls it.
        module: what Python imports.
        extra: what installs it.
        portable: whether it builds for other GPUs than the one here, and without any.
    """

    engine: str
    module: str
    extra: str
    portable: bool


TENSORRT = Flavour("tensorrt", "tensorrt", "gpu", portable=False)
TENSORRT_RTX = Flavour("tensorrt-rtx", "tensorrt_rtx", "rtx", portable=True)


class Builder:
    """Makes engines of networks with one of the libraries."""

    def __init__(self, flavour: Flavour) -> None:
        """Import the library.

        Raises:
            EngineUnavailableError: it is not installed or does not load.
        """
        self.flavour = flavour
        try:
            self.library: Any = importlib.import_module(flavour.module)
        except ModuleNotFoundError as error:
            raise EngineUnavailableError(
                f"the package {flavour.module} is not installed (pip install "
                f"'headcall[{flavour.extra}]')"
            ) from error
        except (ImportError, OSError, RuntimeError) as error:
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise EngineUnavailableError(f"{flavour.module} does not load ({said})") from error
        self.complaints: list[str] = []
        self.logger = _logger(self.library, self.complaints)

    def capabilities(self) -> list[str]:
        """Return the compute capabilities that can be built for without such a GPU, as sm86."""
        if not self.flavour.portable:
            return []
        known = self.library.ComputeCapability.__members__
        return sorted((name.lower() for name in known if name.startswith("SM")), key=_number)

    def recipe(self, weights: Weights, gpu: str, batch: int) -> Recipe:
        """Return what an engine of these weights would be made of."""
        version = str(self.library.__version__)
        return Recipe(self.flavour.engine, version, gpu, weights.digest, batch, OPTIONS)

    def build(
        self,
        weights: Weights,
        capabilities: Sequence[str] = (),
        batch: int = 1,
        progress: Progress | None = None,
    ) -> Built:
        """Build both networks.

        Args:
            weights: of which preset.
            capabilities: GPUs to build for, as `capabilities` names them; none: the one here.
            batch: of the generator.
            progress: told what happens.

        Raises:
            EngineUnavailableError: the library refuses the networks or cannot build here.
        """
        parts = []
        for name, path, size in (
            ("encoder", weights.encoder, 1),
            ("generator", weights.generator, batch),
        ):
            (progress or log.info)(f"building the {name} of {weights.preset} for the GPU")
            model = read_model(path)
            set_batch(model, size)
            to_mixed(model)
            parts.append(self._build_one(model.SerializeToString(), capabilities))
        return Built(parts[0], parts[1])

    def _build_one(self, network: bytes, capabilities: Sequence[str]) -> bytes:
        library = self.library
        self.complaints.clear()
        try:
            builder = library.Builder(self.logger)
            flag = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
            definition = builder.create_network(flag)
            parser = library.OnnxParser(definition, self.logger)
            if not parser.parse(network):
                said = "; ".join(str(parser.get_error(n)) for n in range(parser.num_errors))
                raise EngineUnavailableError(f"it does not take the network ({said})")
            config = builder.create_builder_config()
            if capabilities:
                config.num_compute_capabilities = len(capabilities)
                for number, name in enumerate(capabilities):
                    wanted = library.ComputeCapability.__members__[name.upper()]
                    config.set_compute_capability(wanted, number)
            plan = builder.build_serialized_network(definition, config)
        # The bindings raise RuntimeError or TypeError where a GPU or a driver is missing.
        except (RuntimeError, TypeError) as error:
            raise EngineUnavailableError(f"building failed ({_first(str(error))})") from error
        if plan is None:
            said = self.complaints[0] if self.complaints else "it does not say why"
            raise EngineUnavailableError(f"building failed ({said})")
        return bytes(plan)


def _logger(library: Any, complaints: list[str]) -> Any:
    """Return a logger that keeps errors instead of writing them to the terminal."""
    severities = library.ILogger.Severity

    class Logger(library.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            library.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (severities.INTERNAL_ERROR, severities.ERROR):
                complaints.append(_first(message))
            log.debug("%s", message)

    return Logger()


def _first(text: str) -> str:
    return (text.strip() or "no reason given").splitlines()[0]


def _number(name: str) -> int:
    return int(name.removeprefix("sm"))
