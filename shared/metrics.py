"""How near a rebuilt picture comes to the original: PSNR and SSIM of one frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shared.pictures import Image

PEAK = 255.0

# Where 8-bit pictures are the same; the smallest difference a 256x256 RGB picture can have is
# 101 dB. A finite number keeps means finite.
IDENTICAL_DB = 110.0

# Wang et al. 2004: an 11x11 Gaussian window, and constants that keep flat patches defined.
_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2


def psnr(original: Image, rebuilt: Image) -> float:
    """Return the peak signal-to-noise ratio of a picture over all its pixels and channels.

    Args:
        original: shape (H, W, 3), RGB, 0-255.
        rebuilt: the same shape.

    Returns:
        Decibels; `IDENTICAL_DB` where the two do not differ.

    Raises:
        ValueError: the two have different shapes, or are no 8-bit pictures.
    """
    _check_alike(original, rebuilt)
    difference = original.astype(np.float32) - rebuilt.astype(np.float32)
    error = float(np.mean(np.square(difference), dtype=np.float64))
    if error == 0.0:
        return IDENTICAL_DB
    return 10.0 * float(np.log10(PEAK**2 / error))


def ssim(original: Image, rebuilt: Image) -> float:
    """Return the structural similarity of a picture, the mean over its channels.

    Counted where the whole 11x11 window lies inside the picture, with population variances, as
    scikit-image does with ``gaussian_weights=True, use_sample_covariance=False``.

    Args:
        original: shape (H, W, 3), RGB, 0-255, at least 11 pixels each way.
        rebuilt: the same shape.

    Returns:
        At most 1, which means the same picture.

    Raises:
        ValueError: the two have different shapes, are too small, or are no 8-bit pictures.
    """
    _check_alike(original, rebuilt)
    if min(original.shape[:2]) < _WINDOW:
        raise ValueError(f"a picture must be {_WINDOW} pixels each way for SSIM")
    x, y = original.astype(np.float64), rebuilt.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    edge = _WINDOW // 2
    return float((luminance * structure)[edge:-edge, edge:-edge].mean())


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA), np.float64)


def _check_alike(original: Image, rebuilt: Image) -> None:
    if original.dtype != np.uint8 or rebuilt.dtype != np.uint8:
        raise ValueError("pictures are compared as 8-bit RGB")
    if original.ndim != 3 or original.shape != rebuilt.shape:
        raise ValueError(f"pictures differ in shape: {original.shape} and {rebuilt.shape}")
