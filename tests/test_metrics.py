import numpy as np
import numpy.typing as npt
import pytest

from shared.metrics import IDENTICAL_DB, psnr, ssim
from shared.pictures import Image


def picture(values: npt.NDArray[np.int64]) -> Image:
    return (values % 256).astype(np.uint8)


@pytest.fixture
def pair() -> tuple[Image, Image]:
    y, x = np.mgrid[0:64, 0:80]
    original = np.stack([x * 3 + y, x * y, y * 4], axis=-1)
    rebuilt = np.stack([x * 3 + y + 9, x * y // 2, y * 3], axis=-1)
    return picture(original), picture(rebuilt)


def test_psnr_is_scikit_images(pair: tuple[Image, Image]) -> None:
    assert psnr(*pair) == pytest.approx(13.621938825432274, abs=1e-6)


def test_ssim_is_scikit_images(pair: tuple[Image, Image]) -> None:
    assert ssim(*pair) == pytest.approx(0.7620204769905445, abs=1e-9)


def test_psnr_of_one_grey_step_is_the_peak_over_one() -> None:
    flat = np.full((16, 16, 3), 100, np.uint8)
    assert psnr(flat, flat + 1) == pytest.approx(20 * np.log10(255))


def test_psnr_does_not_wrap_around_at_the_ends() -> None:
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    assert psnr(black, white) == pytest.approx(0.0)
    assert psnr(white, black) == pytest.approx(0.0)


def test_ssim_of_flat_pictures_is_the_luminance_term() -> None:
    flat, lighter = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(flat, lighter) == pytest.approx(expected)


def test_the_same_picture(pair: tuple[Image, Image]) -> None:
    original = pair[0]
    assert psnr(original, original) == IDENTICAL_DB
    assert ssim(original, original) == pytest.approx(1.0)


def test_the_smallest_difference_lies_below_identical() -> None:
    picture_a = np.zeros((256, 256, 3), np.uint8)
    picture_b = picture_a.copy()
    picture_b[0, 0, 0] = 1
    assert 100 < psnr(picture_a, picture_b) < IDENTICAL_DB


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_pictures_that_cannot_be_compared(measure: object) -> None:
    assert callable(measure)
    good = np.zeros((16, 16, 3), np.uint8)
    for other in (
        np.zeros((16, 17, 3), np.uint8),
        np.zeros((16, 16, 3), np.float32),
        np.zeros((16, 16), np.uint8),
    ):
        with pytest.raises(ValueError, match="pictures"):
            measure(good, other)


def test_ssim_needs_room_for_its_window() -> None:
    small = np.zeros((10, 20, 3), np.uint8)
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(small, small)
