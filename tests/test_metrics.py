import numpy as np
import numpy.typing as npt
import pytest

from shared.metrics import IDENTICAL_DB, ms_ssim, psnr, psnr_y, ssim
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


@pytest.mark.parametrize("measure", [psnr, psnr_y, ssim, ms_ssim])
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


@pytest.fixture
def large_pair() -> tuple[Image, Image]:
    y, x = np.mgrid[0:192, 0:256]
    original = np.stack(
        [128 + 100 * np.sin(x / 9 + y / 17), 128 + 90 * np.cos(x / 23) * np.sin(y / 11),
         (x + y) / 2], axis=-1,
    )  # fmt: skip
    rebuilt = np.stack(
        [128 + 80 * np.sin(x / 9 + y / 17 + 0.3), 138 + 90 * np.cos(x / 22) * np.sin(y / 11),
         (x + y) / 2.2 + (x * y % 17)], axis=-1,
    )  # fmt: skip
    return original.astype(np.uint8), rebuilt.astype(np.uint8)


def test_ms_ssim_is_pytorch_msssims(large_pair: tuple[Image, Image]) -> None:
    # pytorch-msssim 1.0.0, whose window is rounded to 32 bits.
    assert ms_ssim(*large_pair) == pytest.approx(0.9377365166189264, abs=2e-6)


def test_ms_ssim_of_the_same_picture_and_of_its_negative(large_pair: tuple[Image, Image]) -> None:
    original = large_pair[0]
    assert ms_ssim(original, original) == pytest.approx(1.0)
    assert ms_ssim(original, 255 - original) == 0.0  # all structure is turned round


def test_ms_ssim_needs_room_for_its_window_at_every_scale() -> None:
    small = np.zeros((175, 256, 3), np.uint8)
    with pytest.raises(ValueError, match="176 pixels"):
        ms_ssim(small, small)


def test_luma_psnr_is_scikit_images(large_pair: tuple[Image, Image]) -> None:
    # skimage.metrics.peak_signal_noise_ratio of the two lumas, data_range=255.
    assert psnr_y(*large_pair) == pytest.approx(26.502622052431892, abs=1e-4)


def test_luma_psnr_weighs_green_most() -> None:
    flat = np.full((16, 16, 3), 100, np.uint8)
    for channel, weight in enumerate((0.299, 0.587, 0.114)):
        lighter = flat.copy()
        lighter[..., channel] += 10
        assert psnr_y(flat, lighter) == pytest.approx(20 * np.log10(25.5 / weight), abs=1e-4)
