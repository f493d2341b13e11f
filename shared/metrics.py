"""How near a rebuilt picture comes to the original: PSNR, SSIM and MS-SSIM of one frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shared.pictures import Image

_Floats = npt.NDArray[np.float64]

PEAK = 255.0

# Where 8-bit pictures are the same; the smallest difference a 256x256 RGB picture can have is
# 101 dB. A finite number keeps means finite.
IDENTICAL_DB = 110.0

# Wang et al. 2004: an 11x11 Gaussian window, and constants that keep flat patches defined.
_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2

# Wang et al. 2003: what each scale counts for, the finest first.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


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
    return _decibels(original.astype(np.float32) - rebuilt.astype(np.float32))


def psnr_y(original: Image, rebuilt: Image) -> float:
    """Return the PSNR of the luma alone (BT.601, 0-255, not rounded).

    Takes, returns and raises what `psnr` does; pictures that differ in colour only are identical.
    """
    _check_alike(original, rebuilt)
    return _decibels((original.astype(np.float32) - rebuilt.astype(np.float32)) @ LUMA)


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
    luminance, structure = _terms(original.astype(np.float64), rebuilt.astype(np.float64))
    return float((luminance * structure).mean())


def ms_ssim(original: Image, rebuilt: Image) -> float:
    """Return the structural similarity over five scales (Wang et al. 2003), mean over channels.

    Each scale is the one before averaged over 2x2 pixels; a negative term counts as 0, as in
    other implementations.

    Args:
        original: shape (H, W, 3), RGB, 0-255, at least 176 pixels each way.
        rebuilt: the same shape.

    Returns:
        At most 1, which means the same picture.

    Raises:
        ValueError: the two have different shapes, are too small, or are no 8-bit pictures.
    """
    return ssim_and_ms_ssim(original, rebuilt)[1]


def ssim_and_ms_ssim(original: Image, rebuilt: Image) -> tuple[float, float]:
    """Return both for the time of one: SSIM is what MS-SSIM's finest scale begins with.

    Takes and raises what `ms_ssim` does.
    """
    _check_alike(original, rebuilt)
    least = _WINDOW << (len(_SCALES) - 1)
    if min(original.shape[:2]) < least:
        raise ValueError(f"a picture must be {least} pixels each way for MS-SSIM")
    x, y = original.astype(np.float64), rebuilt.astype(np.float64)
    finest, product = 0.0, np.ones(3)
    for scale, weight in enumerate(_SCALES):
        luminance, structure = _terms(x, y)
        if scale == 0:
            finest = float((luminance * structure).mean())
        last = scale == len(_SCALES) - 1
        term = (luminance * structure if last else structure).mean(axis=(0, 1))
        product *= np.maximum(term, 0) ** weight
        x, y = _halve(x), _halve(y)
    return finest, float(product.mean())


def _terms(x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
    """Return SSIM's luminance and its contrast with structure, where the window lies inside."""
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    edge = _WINDOW // 2
    return luminance[edge:-edge, edge:-edge], structure[edge:-edge, edge:-edge]


def _halve(values: _Floats) -> _Floats:
    height, width = values.shape[0] // 2, values.shape[1] // 2
    even = values[: 2 * height, : 2 * width]
    return np.asarray(even.reshape(height, 2, width, 2, -1).mean(axis=(1, 3)), np.float64)


def _decibels(difference: npt.NDArray[np.float32]) -> float:
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return IDENTICAL_DB if error == 0.0 else 10.0 * float(np.log10(PEAK**2 / error))


def _blur(values: _Floats) -> _Floats:
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA), np.float64)


def _check_alike(original: Image, rebuilt: Image) -> None:
    if original.dtype != np.uint8 or rebuilt.dtype != np.uint8:
        raise ValueError("pictures are compared as 8-bit RGB")
    if original.ndim != 3 or original.shape != rebuilt.shape:
        raise ValueError(f"pictures differ in shape: {original.shape} and {rebuilt.shape}")
