"""Where a face image shows mouth and eyes, and what it tells of them.

Skin has all three of its colours; the inside of the mouth, irises and whites of the eyes each lack
others (`shared.face_image`), and those that they have say how light a mouth and of which colour an
iris is (`shared.mouth`, `shared.iris`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from shared.face_image import (
    BLUEST,
    IRIS_HIGH,
    IRIS_LOW,
    MOUTH_DARK,
    MOUTH_WHITE,
    REDDEST,
)
from shared.metrics import LUMA

FACE_CHANNELS = 3
MOUTH_Z = 0.5
NO_FACE = 0.02
# The opening of the reference's mouth over the driving one's: between the middle two its inside is
# shown, beyond the outer two it is painted. Teeth do not stretch and shrink with the lips.
SEEN_FROM, SEEN_ALL, SEEN_STILL, SEEN_TO = 0.5, 0.9, 1.1, 1.5
# The same of the irises: below the first they are painted, above the second shown.
IRIS_FROM, IRIS_ALL = 0.4, 0.8
WHITE_HUE = 0.5  # of the irises'


def mouth_of(face: Tensor) -> Tensor:
    """Return where a face image (N, 3, H, W) shows the inside of the mouth, (N, 1, H, W), 0 or 1.

    Its colour has z without x or y (`shared.face_image.mouth_colour`).
    """
    inside = (face[:, 2:3] > MOUTH_Z) & (face[:, 0:1] < NO_FACE) & (face[:, 1:2] < NO_FACE)
    return inside.to(face.dtype)


def mouth_level(face: Tensor) -> Tensor:
    """Return how light a face image (N, 3, H, W) says its mouth is, (N, 1, H, W), in [-1, 1]."""
    light: Tensor = (face[:, 2:3] - MOUTH_DARK) * (2 / (MOUTH_WHITE - MOUTH_DARK)) - 1
    return light.clamp(-1, 1)


def unseen_mouth(face: Tensor, seen: Tensor) -> Tensor:
    """Return where a mouth is open that the reference did not show so, (N, 1, H, W), in [0, 1].

    The displacement maps the open mouth to the reference's, however far open that was.

    Args:
        face: driving face image, (N, 3, H, W).
        seen: `mouth_size` of the reference.
    """
    mouth = mouth_of(face)
    share = seen / (over_skin(mouth, face) + 1e-5)
    opened = ((share - SEEN_FROM) / (SEEN_ALL - SEEN_FROM)).clamp(0, 1)
    not_wider = ((SEEN_TO - share) / (SEEN_TO - SEEN_STILL)).clamp(0, 1)
    return mouth * (1 - opened * not_wider)


def mouth_size(face: Tensor) -> Tensor:
    """Return how large a face image (N, 3, H, W) shows the mouth's inside, see `over_skin`."""
    return over_skin(mouth_of(face), face)


def iris_of(faces: Tensor) -> Tensor:
    """Return where face images (N, 3 K, H, W) show irises, (N, K, H, W), 0 or 1.

    Their colour has x and y without z (`shared.face_image.eye_colour`).
    """
    return (_eyes(faces) & (faces[:, 1::3] > NO_FACE)).to(faces.dtype)


def iris_level(face: Tensor) -> Tensor:
    """Return the colour that a face image (N, 3, H, W) tells of irises, (N, 3, H, W), in [-1, 1].

    Of luma and of blue less red: green is taken to be as light as the whole.
    """
    luma, blue = ((face[:, :2] - IRIS_LOW) / (IRIS_HIGH - IRIS_LOW)).chunk(2, dim=1)
    half = (REDDEST + (BLUEST - REDDEST) * blue) / 2
    level: Tensor = torch.cat([luma - half, luma, luma + half], dim=1).clamp(0, 1) * 2 - 1
    return level


def iris_size(face: Tensor) -> Tensor:
    """Return how large a face image (N, 3, H, W) shows irises, see `over_skin`."""
    return over_skin(iris_of(face), face)


def unseen_iris(face: Tensor, seen: Tensor) -> Tensor:
    """Return where irises are open that the reference hid, (N, 1, H, W), in [0, 1].

    Args:
        face: driving face image, (N, 3, H, W).
        seen: `iris_size` of the reference.
    """
    share = seen / (iris_size(face) + 1e-5)
    return iris_of(face) * (1 - ((share - IRIS_FROM) / (IRIS_ALL - IRIS_FROM)).clamp(0, 1))


def white_of(face: Tensor) -> Tensor:
    """Return where a face image (N, 3, H, W) shows the whites of the eyes, (N, 1, H, W), 0 or 1."""
    return (_eyes(face) & (face[:, 1:2] < NO_FACE)).to(face.dtype)


def white_level(face: Tensor) -> Tensor:
    """Return a colour of the hue that the whites of the eyes have, (N, 3, 1, 1), in [-1, 1].

    Half as much of it as the irises': the light is the same.

    Args:
        face: face image, (N, 3, H, W).
    """
    iris = iris_of(face)
    return WHITE_HUE * area_of(iris * iris_level(face)) / (area_of(iris) + 1e-5)


def without_eyes(faces: Tensor) -> Tensor:
    """Return face images (N, 3 K, H, W) whose eyes have no colour: they move whatever it is."""
    images = faces.chunk(faces.shape[1] // FACE_CHANNELS, dim=1)
    plain: Tensor = torch.cat([image * (~_eyes(image)).to(image.dtype) for image in images], dim=1)
    return plain


def tinted(image: Tensor, colour: Tensor, where: Tensor) -> Tensor:
    """Return a picture that is as light as it was and has a colour's hue, (N, 3, H, W).

    What is painted of irises is right in what is light and dark; of few pixels' colours a painter
    learns little, and discriminators like them iridescent.

    Args:
        image: (N, 3, H, W).
        colour: likewise.
        where: how much of the hue is taken, (N, 1, H, W), in [0, 1].
    """
    luma = image.new_tensor(LUMA.tolist())[None, :, None, None]
    lighter = (luma * (image - colour)).sum(dim=1, keepdim=True)
    return image + where * (colour + lighter - image)


def over_skin(mask: Tensor, face: Tensor) -> Tensor:
    """Return a part's area over the skin's, (N, 1, 1, 1).

    Who leans forward has larger eyes and a larger mouth, and has opened neither.

    Args:
        mask: where the part is, (N, 1, H, W).
        face: the face image, (N, 3, H, W).
    """
    skin = (face > 0).all(dim=1, keepdim=True).to(face.dtype)
    return area_of(mask) / (area_of(skin) + 1e-5)


def area_of(masks: Tensor) -> Tensor:
    """Return the share of a picture that masks (N, C, H, W) cover, (N, C, 1, 1)."""
    return masks.mean(dim=(2, 3), keepdim=True)


def _eyes(faces: Tensor) -> Tensor:
    return (faces[:, 0::3] > NO_FACE) & (faces[:, 2::3] < NO_FACE)
