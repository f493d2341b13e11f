"""The conditional normalisation blocks, and warping and resizing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.spade import (
    SLOPE,
    AdaIn,
    AdaInBlock,
    Spade,
    SpadeBlock,
    instance_norm,
    resize,
    warp,
)

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def flow_of(x: float, y: float, height: int, width: int) -> Tensor:
    return torch.tensor([x, y])[None, :, None, None].expand(1, 2, height, width).clone()


def test_zero_flow_is_identity() -> None:
    picture = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(warp(picture, torch.zeros(2, 2, 32, 32)), picture)


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -5), (-2, 7)])
def test_flow_is_in_picture_sides_and_says_where_to_sample(right: int, down: int) -> None:
    picture = torch.rand(1, 3, 40, 40)
    moved = warp(picture, flow_of(right / 40, down / 40, 40, 40))
    rows = np.clip(np.arange(40) + down, 0, 39)  # beyond the border the edge is repeated
    columns = np.clip(np.arange(40) + right, 0, 39)
    torch.testing.assert_close(moved, picture[:, :, rows][..., columns], atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [16, 64, 128])
def test_the_same_flow_moves_every_size_alike(size: int) -> None:
    ramp = ((torch.arange(size) + 0.5) / size).expand(1, 1, size, size)
    moved = warp(ramp, flow_of(0.125, 0, 32, 32))
    inside = slice(1, size - size // 8 - 1)
    torch.testing.assert_close(moved[..., inside], ramp[..., inside] + 0.125, atol=1e-5, rtol=0)


def test_warping_agrees_with_opencv() -> None:
    random = np.random.default_rng(5)
    picture = random.uniform(-1, 1, (48, 48, 3)).astype(np.float32)
    coarse = random.normal(0, 0.08, (6, 6, 2)).astype(np.float32)
    flow = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.indices((48, 48), dtype=np.float32)
    expected = cv2.remap(
        picture,
        columns + flow[..., 0] * 48,
        rows + flow[..., 1] * 48,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    planes = [torch.from_numpy(array.transpose(2, 0, 1)[None].copy()) for array in (picture, flow)]
    ours = warp(*planes)[0].numpy().transpose(1, 2, 0)
    # OpenCV interpolates with 5 bits of position.
    assert np.abs(ours - expected).max() < 2 * 2 / 32
    assert np.abs(ours - expected).mean() < 0.01


def test_half_precision_features_are_warped_in_full() -> None:
    picture = torch.rand(1, 3, 256, 256)
    flow = flow_of(0.3, 0.2, 256, 256)
    half = warp(picture.bfloat16(), flow.bfloat16())
    assert half.dtype == torch.bfloat16
    exact = warp(picture.bfloat16().float(), flow.bfloat16().float())
    torch.testing.assert_close(half.float(), exact, atol=5e-3, rtol=0)


def test_gradients_reach_the_flow() -> None:
    flow = torch.zeros(1, 2, 16, 16, requires_grad=True)
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    warp(ramp, flow)[..., 4:12].sum().backward()
    assert flow.grad is not None
    assert (flow.grad[0, 0, :, 5:11] > 0).all()


def test_resize_averages_when_smaller() -> None:
    maps = torch.rand(1, 2, 8, 8)
    expected = maps.reshape(1, 2, 4, 2, 4, 2).mean(dim=(3, 5))
    torch.testing.assert_close(resize(maps, 4), expected)


def test_resize_interpolates_when_larger_and_keeps_what_fits() -> None:
    maps = torch.rand(1, 2, 8, 8)
    assert resize(maps, 8) is maps
    larger = resize(maps, 32)
    assert larger.shape == (1, 2, 32, 32)
    torch.testing.assert_close(larger.mean(), maps.mean(), atol=0.02, rtol=0)


def test_instance_norm_settles_each_channel_of_each_picture() -> None:
    features = torch.randn(2, 3, 16, 16) * torch.tensor([1, 10, 100])[None, :, None, None] + 5
    normal = instance_norm(features)
    torch.testing.assert_close(normal.mean(dim=(2, 3)), torch.zeros(2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(dim=(2, 3)), torch.ones(2, 3), atol=0.01, rtol=0)


def test_instance_norm_of_half_precision_is_done_in_full() -> None:
    features = (1000 + torch.randn(1, 1, 64, 64)).bfloat16()
    expected = instance_norm(features.float())
    assert instance_norm(features).dtype == torch.bfloat16
    torch.testing.assert_close(instance_norm(features).float(), expected, atol=0.05, rtol=0)


def test_spade_is_norm_times_one_plus_gamma_plus_beta() -> None:
    spade = Spade(channels=4, modulation=2, hidden=8)
    features, modulation = torch.randn(1, 4, 8, 8), torch.randn(1, 2, 8, 8)
    hidden = functional.relu(spade.shared(modulation))
    both = spade.gamma_beta(hidden)
    expected = instance_norm(features) * (1 + both[:, :4]) + both[:, 4:]
    torch.testing.assert_close(spade(features, modulation), expected)


def test_spade_acts_where_the_map_changes() -> None:
    spade = Spade(4, 2, 8)
    features, modulation = torch.randn(1, 4, 16, 16), torch.zeros(1, 2, 16, 16)
    changed = modulation.clone()
    changed[..., 8, 8] = 1
    difference = (spade(features, changed) - spade(features, modulation)).abs().sum(dim=1)[0]
    assert difference[6:11, 6:11].max() > 1e-3
    difference[6:11, 6:11] = 0
    assert difference.max() == 0


@pytest.mark.parametrize("residual", [True, False])
def test_a_spade_block_is_twice_spade_lrelu_conv(residual: bool) -> None:
    block = SpadeBlock(4, 2, 8, residual)
    features, modulation = torch.randn(1, 4, 8, 8), torch.randn(1, 2, 8, 8)
    state = features
    for norm, conv in zip(block.norms, block.convs, strict=True):
        state = conv(functional.leaky_relu(norm(state, modulation), SLOPE))
    expected = features + state if residual else state
    assert len(block.norms) == len(block.convs) == 2
    torch.testing.assert_close(block(features, modulation), expected)


def test_adain_has_one_scale_and_shift_a_channel() -> None:
    adain = AdaIn(channels=4, vector=5)
    features, vector = torch.randn(2, 4, 8, 8), torch.randn(2, 5)
    out = adain(features, vector)
    gamma, beta = adain.gamma_beta(vector).chunk(2, dim=1)
    torch.testing.assert_close(out.mean(dim=(2, 3)), beta, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        out.std(dim=(2, 3), correction=0), (1 + gamma).abs(), atol=1e-3, rtol=1e-3
    )


def test_an_adain_block_keeps_the_shape_and_hears_the_vector() -> None:
    block = AdaInBlock(4, 5, residual=False)
    features = torch.randn(1, 4, 8, 8)
    one, other = block(features, torch.zeros(1, 5)), block(features, torch.ones(1, 5))
    assert one.shape == features.shape
    assert (one - other).abs().max() > 1e-3


def test_a_residual_adain_block_begins_as_nothing_and_learns() -> None:
    block = AdaInBlock(4, 5, residual=True)
    features, vector = torch.randn(2, 4, 8, 8), torch.rand(2, 5)
    result = block(features, vector)
    assert torch.equal(result, features)
    result.square().mean().backward()
    assert block.convs[-1].weight.grad is not None
    assert block.convs[-1].weight.grad.abs().max() > 0
