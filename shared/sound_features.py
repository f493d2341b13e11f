"""What a network hears of a moment: 300 numbers of the 0.3 s of sound before it.

HeadGAN, section 3.2, has 300 as well, of low-level features and DeepSpeech's logits, from before
and after the frame. What comes after a frame is not there yet in a call, and a speech recogniser
would be larger than our generator: here it is a mel spectrogram, 20 bands by 15 steps.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from shared.voice import HEARD_RATE, Floats

BANDS = 20
STEPS = 15
FEATURES = BANDS * STEPS
WINDOW = HEARD_RATE * 25 // 1000
HOP = HEARD_RATE * 20 // 1000
SPAN = WINDOW + (STEPS - 1) * HOP  # samples, 305 ms
FFT = 512
LOWEST_HZ, HIGHEST_HZ = 80.0, 7600.0
# A band is 0 at this level or below it, and 1 for a tone of full scale.
FLOOR_DB = -80.0

_HANN = np.hanning(WINDOW + 2)[1:-1].astype(np.float32)


def sound_features(samples: Floats) -> Floats:
    """Return the features of the moment at which these samples end.

    Args:
        samples: shape (SPAN,), mono at HEARD_RATE, in [-1, 1]; zeros where nothing was heard.

    Returns:
        Shape (FEATURES,), in [0, 1], the oldest step first; silence is all zeros.
    """
    windows = sliding_window_view(samples, WINDOW)[::HOP] * _HANN
    power = np.square(np.abs(np.fft.rfft(windows, FFT))) * np.square(2 / _HANN.sum())
    bands = power @ _FILTERS.T
    decibels = 10 * np.log10(np.maximum(bands, 1e-12))
    return np.asarray(np.clip(1 - decibels / FLOOR_DB, 0, 1), np.float32).ravel()


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _filters() -> Floats:
    """Return overlapping triangles, evenly spaced on the mel scale, (BANDS, FFT / 2 + 1)."""
    mels = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.arange(FFT // 2 + 1) * HEARD_RATE / FFT
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (hertz - low) / (peak - low), (high - hertz) / (high - peak)
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


_FILTERS = _filters()
