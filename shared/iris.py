"""The irises: how light and how blue they are, as two numbers.

Who is photographed with eyes half closed opens them in the call, and a network that never saw
their irises gives them those of the people it was trained on. Two numbers, brightness and
blueness, tell brown eyes from grey and blue ones; the sender measures them where it sees irises
(`shared.iris_meter`), and the receiver draws them as the irises' colour in the 3-D face image
(`shared.face_image`).
"""

from __future__ import annotations

import numpy as np

from shared.detail import IRIS_LIMIT, IRIS_SIZE, Floats

# Over the brightness of the face: luma, and blue less red. About the mean and the standard
# deviation over the portraits of the training data; both ends must have the same.
USUAL = np.array([0.44, -0.13], np.float32)
SPREAD = np.array([0.14, 0.12], np.float32)


def usual() -> Floats:
    """Return the numbers of irises that nobody has seen, shape (2,): the mean ones'."""
    return np.zeros(IRIS_SIZE, np.float32)


def iris_numbers(colour: Floats) -> Floats:
    """Return the numbers of irises, shape (2,), standard deviations.

    Args:
        colour: luma, and blue less red, over the face's brightness, shape (2,).
    """
    return np.asarray(((colour - USUAL) / SPREAD).clip(-IRIS_LIMIT, IRIS_LIMIT), np.float32)


def iris_colour(numbers: Floats) -> Floats:
    """Return what `iris_numbers` takes, shape (2,); see there."""
    return np.asarray(USUAL + SPREAD * numbers, np.float32)
