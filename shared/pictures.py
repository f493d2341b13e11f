"""Photographs from disk and from peers, decoded without trusting them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps

from shared.errors import BadInputError

Image = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP")
LOCAL_MAX_BYTES = 50 * 1024 * 1024
LOCAL_MAX_PIXELS = 40_000_000
PEER_MAX_BYTES = 1024 * 1024
PEER_MAX_PIXELS = 4_000_000

# The limits below are stricter than the one Pillow warns about.
warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)


def decode_picture(data: bytes, max_pixels: int) -> Image:
    """Decode a JPEG, PNG or WebP picture, upright, as RGB.

    The pixel count is read from the header and checked before any pixel is decoded, so that a
    few hostile bytes cannot take gigabytes.

    Args:
        data: the file's bytes; the caller caps their number.
        max_pixels: largest width times height accepted.

    Raises:
        BadInputError: not such a picture, broken, or too large.
    """
    try:
        with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture.width, picture.height, max_pixels)
            upright = PIL.ImageOps.exif_transpose(picture)
            return np.asarray(upright.convert("RGB"), np.uint8).copy()
    except BadInputError:
        raise
    except PIL.UnidentifiedImageError:
        raise BadInputError(
            "this is not a JPEG, PNG or WebP picture; convert it to one of these"
        ) from None
    except Exception as error:  # Pillow's decoders raise many undocumented types on broken bytes
        raise BadInputError(
            "the picture is broken or cut short; save it again as a JPEG or PNG"
        ) from error


def read_picture(path: Path) -> Image:
    """Read a picture from a local file.

    Raises:
        BadInputError: the file cannot be read or is no usable picture; the sentence names it.
    """
    try:
        if not path.is_file():
            raise BadInputError(f"{path} is not a file; give the path of a photograph")
        if path.stat().st_size > LOCAL_MAX_BYTES:
            limit = LOCAL_MAX_BYTES // (1024 * 1024)
            raise BadInputError(f"{path} is larger than {limit} MB; give a smaller photograph")
        return decode_picture(path.read_bytes(), LOCAL_MAX_PIXELS)
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror or error}") from error
    except BadInputError as error:
        if str(path) in str(error):
            raise
        raise BadInputError(f"{path}: {error}") from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise BadInputError(
            f"the picture has {width}x{height} pixels and at most "
            f"{max_pixels / 1e6:g} million are taken; make it smaller"
        )
