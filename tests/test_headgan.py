"""The generator: `full` against the paper's tables 4 and 5, `lite` against its promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.headgan import (
    RESIDUAL_SHARE,
    WHOLE_MOTION,
    Encoder,
    HeadGan,
    Rebuilt,
    Up,
    _fold,
    held_together,
)
from models.layering import enlarge, lay
from models.presets import preset
from models.spade import AdaInBlock, SpadeBlock, resize, warp
from shared.face_image import WHITE, eye_colour, mouth_colour
from shared.layers import LAYER_CHANNELS
from tests.layered import body, layered

# On shared cores two threads that spin for each other are slower by far than one.
torch.set_num_threads(1)

FULL, LITE = preset("full"), preset("lite")
GREY_MOUTH = torch.from_numpy(mouth_colour(0.5))
AUDIO = 300  # deep-speech features of a frame: the paper's optional input


def inputs(size: int = 64, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return faces, displacement, the reference's layers and its face image."""
    with torch.device(device):
        torch.manual_seed(4)
        faces = 0.05 + 0.95 * torch.rand(1, 9, size, size)  # no mouth, no background
        displacement = resize(torch.randn(1, 2, 8, 8) * 0.03, size)
        reference = torch.rand(1, LAYER_CHANNELS, size, size) * 2 - 1
        return faces, displacement, reference, faces[:, :3].clone()


def rebuild(network: HeadGan, size: int = 64, audio: Tensor | None = None) -> Rebuilt:
    device = next(network.parameters()).device.type
    faces, displacement, reference, face = inputs(size, device)
    return network(faces, displacement, reference, network.encode(reference, face), audio)


def on_paper(audio: int = 0) -> HeadGan:
    """Return the whole network without its numbers: shapes only."""
    with torch.device("meta"):
        return HeadGan(replace(FULL, audio=audio))


def sizes(network: nn.Module, kinds: tuple[type, ...], run: Callable[[], object]) -> list[tuple]:
    """Return (kind, output shape) of every module of these kinds, in the order they run."""
    found = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        found.append((type(module).__name__, *output.shape[1:]))

    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    run()
    for hook in hooks:
        hook.remove()
    return found


def conv_shapes(module: nn.Module) -> list[tuple[int, ...]]:
    """Return (in, out, kernel, stride) of the convolutions in a module."""
    return [
        (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0])
        for conv in module.modules()
        if isinstance(conv, nn.Conv2d)
    ]


def test_full_encoders_have_the_tables_convolutions() -> None:
    network = on_paper()
    rest = [(32, 128, 3, 2), (128, 512, 3, 2)]
    assert conv_shapes(network.flow.encoder) == [(6, 32, 7, 1), *rest]
    assert conv_shapes(network.render.encoder) == [(9, 32, 7, 1), *rest]


def test_full_output_layers_have_the_tables_convolutions() -> None:
    network = on_paper()
    assert conv_shapes(network.flow.head) == [(32, 2, 7, 1)]
    assert conv_shapes(network.render.head) == [(32, 3, 7, 1)]


def test_full_shuffles_pixels_without_convolutions() -> None:
    network = on_paper()
    assert conv_shapes(network.flow.up) == []
    assert conv_shapes(network.render.ups) == []


def test_full_spade_blocks_are_modulated_by_what_the_paper_says() -> None:
    network = on_paper()

    def modulations(blocks: nn.Module) -> list[tuple[int, int]]:
        return [
            (block.convs[0].in_channels, block.norms[0].shared.in_channels)
            for block in blocks.modules()
            if isinstance(block, SpadeBlock)
        ]

    # F by the driving face images; R by the warped features, and at last the warped picture.
    assert modulations(network.flow) == [(512, 9)] * 3 + [(128, 9)]
    assert modulations(network.render) == [(512, 512), (128, 128), (32, 32), (32, 3)]
    assert all(block.residual is False for block in network.modules() if hasattr(block, "residual"))
    assert {
        block.norms[0].shared.out_channels
        for block in network.modules()
        if isinstance(block, SpadeBlock)
    } == {256}


def test_full_flow_network_has_table_4s_sizes() -> None:
    network = on_paper()
    found = sizes(network.flow, (SpadeBlock, Up), lambda: rebuild(network, 256))
    assert found == [
        ("SpadeBlock", 512, 64, 64),
        ("SpadeBlock", 512, 64, 64),
        ("SpadeBlock", 512, 64, 64),
        ("Up", 128, 128, 128),
        ("SpadeBlock", 128, 128, 128),
        ("Up", 32, 256, 256),
    ]
    assert rebuild(network, 256).flow.shape == (1, 2, 256, 256)


def test_full_rendering_network_has_table_5s_sizes() -> None:
    network = on_paper(AUDIO)
    with torch.device("meta"):
        audio = torch.zeros(1, AUDIO)
    kinds = (SpadeBlock, AdaInBlock, Up)
    found = sizes(network.render, kinds, lambda: rebuild(network, 256, audio))
    assert found == [
        ("SpadeBlock", 512, 64, 64),
        ("AdaInBlock", 512, 64, 64),
        ("Up", 128, 128, 128),
        ("SpadeBlock", 128, 128, 128),
        ("AdaInBlock", 128, 128, 128),
        ("Up", 32, 256, 256),
        ("SpadeBlock", 32, 256, 256),
        ("AdaInBlock", 32, 256, 256),
        ("SpadeBlock", 32, 256, 256),
    ]
    assert rebuild(network, 256, audio).image.shape == (1, 3, 256, 256)


def test_full_features_have_both_tables_sizes() -> None:
    network = on_paper()
    _, _, reference, face = inputs(256, "meta")
    expected = [(32, 256, 256), (128, 128, 128), (512, 64, 64)]
    for encoder, given in (
        (network.flow.encoder, torch.cat([reference[:, :3], face], dim=1)),
        (network.render.encoder, face.repeat(1, 3, 1, 1)),
    ):
        assert [tuple(features.shape[1:]) for features in encoder(given)] == expected


def test_full_has_47_million_weights() -> None:
    count = sum(parameter.numel() for parameter in on_paper().parameters())
    assert count == pytest.approx(47e6, rel=0.03)


def test_full_draws_a_picture() -> None:
    torch.manual_seed(0)
    network = HeadGan(FULL).eval()
    with torch.no_grad():
        rebuilt = rebuild(network)
    assert rebuilt.image.shape == rebuilt.warped.shape == (1, 3, 64, 64)
    assert torch.isfinite(rebuilt.image).all()
    assert rebuilt.image.abs().max() < 1
    assert rebuilt.image.std() > 1e-4


@pytest.mark.parametrize("name", ["full", "lite"])
def test_an_untrained_network_has_hardly_a_flow_of_its_own(name: str) -> None:
    torch.manual_seed(2)
    network = HeadGan(preset(name)).eval()
    faces, displacement, reference, face = inputs()
    with torch.no_grad():
        features = network.encode(reference, face)
        flow = network.flow(features, faces, torch.zeros_like(displacement))
    assert flow.abs().max() < 1 / 256  # a pixel


def test_lids_a_pixel_high_move_as_the_mesh_does() -> None:
    torch.manual_seed(2)
    network = HeadGan(preset("lite")).eval()
    faces, displacement, reference, face = inputs()
    displacement = torch.zeros_like(displacement)
    displacement[:, 1, 21] = 0.1
    with torch.no_grad():
        flow = network.flow(network.encode(reference, face), faces, displacement)
    assert flow.shape == displacement.shape
    assert (flow[:, 1, 21] > 0.05).all()
    assert (flow[:, 1, [20, 22]].abs() < 1 / 256).all()


def test_full_has_the_papers_reference_a_picture_without_layers() -> None:
    torch.manual_seed(0)
    small = replace(FULL, widths=(16, 64, 256), flow_hidden=16, render_hidden=(16, 16, 16))
    network = HeadGan(small).eval()
    faces, displacement, reference, face = inputs()
    other = torch.cat([reference[:, :3], -reference[:, 3:]], dim=1)
    with torch.no_grad():
        one, same = (
            network(faces, displacement, given, network.encode(given, face))
            for given in (reference, other)
        )
    assert torch.equal(one.image, same.image)
    torch.testing.assert_close(one.warped, warp(reference[:, :3], one.flow))


@pytest.mark.parametrize(("stride", "first"), [(1, 64), (2, 32)])
def test_an_encoder_halves_twice(stride: int, first: int) -> None:
    features = Encoder(4, (8, 16, 24), stride)(torch.rand(1, 4, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [
        (8, first, first),
        (16, first // 2, first // 2),
        (24, first // 4, first // 4),
    ]
    assert all((f >= 0).all() for f in features)
    # ReLU after an instance norm: about half of each channel lives.
    assert all(0.1 < (f > 0).float().mean() < 0.9 for f in features)


@pytest.fixture(scope="module")
def lite() -> HeadGan:
    torch.manual_seed(0)
    return HeadGan(LITE).eval()


def multiplications(network: HeadGan) -> int:
    """Return the multiplications of one frame, the reference being encoded already."""
    total = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        total += output.numel() * module.weight[0].numel()

    faces, displacement, reference, face = inputs(256)
    with torch.no_grad():
        features = network.encode(reference, face)
        hooks = [
            module.register_forward_hook(count)
            for module in network.modules()
            if isinstance(module, nn.Conv2d | nn.Linear)
        ]
        network(faces, displacement, reference, features)
    for hook in hooks:
        hook.remove()
    return total


def test_lite_costs_at_most_4_billion_multiplications_a_frame(lite: HeadGan) -> None:
    assert 0.5e9 < multiplications(lite) <= 4e9


def test_lite_encodes_the_reference_once_only(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    features = lite.encode(reference, face)
    ran = sizes(
        lite.flow.encoder, (nn.Conv2d,), lambda: lite(faces, displacement, reference, features)
    )
    assert ran == []


def test_lite_trunk_stays_below_full_resolution(lite: HeadGan) -> None:
    ran = sizes(lite, (nn.Conv2d,), lambda: rebuild(lite, 256))
    assert max(size for _, _, size, _ in ran) == 128


def test_lite_rebuilds_a_picture_of_the_references_size(lite: HeadGan) -> None:
    with torch.no_grad():
        rebuilt = rebuild(lite, 256)
    assert rebuilt.image.shape == rebuilt.warped.shape == (1, 3, 256, 256)
    assert torch.isfinite(rebuilt.image).all()
    assert rebuilt.image.abs().max() <= 1


def test_an_untrained_lite_follows_the_mesh(lite: HeadGan) -> None:
    _, displacement, reference, _ = inputs(256)
    with torch.no_grad():
        rebuilt = rebuild(lite, 256)
    mesh = resize(displacement, rebuilt.flow.shape[-1])
    gate = torch.sigmoid(torch.tensor(2.0))
    # What the network adds of its own starts small beside the mesh.
    assert (rebuilt.flow - gate * mesh).abs().mean() < 0.1 * mesh.abs().mean()
    torch.testing.assert_close(rebuilt.warped, lay(reference, enlarge(reference), rebuilt.flow)[0])


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_lite_rebuilds_a_picture_of_nobody_and_of_nothing_else(lite: HeadGan, level: float) -> None:
    faces, displacement, _, face = inputs()
    reference = layered(torch.full((64, 64), level))
    with torch.no_grad():
        rebuilt = lite(faces, displacement, reference, lite.encode(reference, face))
    assert torch.isfinite(rebuilt.image).all()
    assert rebuilt.image.abs().max() <= 1


def test_the_encoder_of_lite_sees_the_person(lite: HeadGan) -> None:
    face = inputs()[3]
    with torch.no_grad():
        one, other = (
            lite.encode(layered(person), face).fine for person in (body(), torch.zeros(64, 64))
        )
    assert (one - other).abs().max() > 1e-3


def test_lite_flow_is_gate_times_displacement_plus_residual(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    features = lite.encode(reference, face)

    def flow_with(gate: float, x: float, y: float, training: bool = False) -> Tensor:
        network = HeadGan(LITE).train(training)
        network.load_state_dict(lite.state_dict())
        nn.init.zeros_(network.flow.head.weight)
        network.flow.head.bias.data = torch.tensor([gate, x, y], dtype=torch.float32)
        with torch.no_grad():
            return network.flow(features, faces, displacement)

    shut, wide = flow_with(-50, 0, 0), flow_with(50, 0, 0)
    mesh = resize(displacement, shut.shape[-1])
    # A shut gate still lets large motion pass.
    opened = held_together(torch.zeros_like(mesh[:, :1]), mesh)
    torch.testing.assert_close(shut, opened * mesh)
    torch.testing.assert_close(wide, mesh)
    residual = flow_with(-50, 0.5, -0.25) - shut
    share = 0.1 * RESIDUAL_SHARE
    torch.testing.assert_close(residual[:, 0], torch.full_like(residual[:, 0], share * 0.5))
    torch.testing.assert_close(residual[:, 1], torch.full_like(residual[:, 1], share * -0.25))
    torch.testing.assert_close(flow_with(50, 0.5, -0.25), mesh + residual)
    # In training the share is drawn anew each time.
    drawn = [
        (flow_with(-50, 0.5, -0.25, training=True) - shut)[0, 0, 0, 0].item() / 0.05
        for _ in range(9)
    ]
    assert len(set(drawn)) == 9
    assert all(0 <= value < 1 for value in drawn)


def test_lite_mixes_the_warped_and_the_painted_picture_by_a_mask(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    features = lite.encode(reference, face)

    def picture_with(colour: float, mask: float) -> Rebuilt:
        network = HeadGan(LITE).eval()
        network.load_state_dict(lite.state_dict())
        nn.init.zeros_(network.render.head.weight)
        # Pixel shuffle: each channel's 2x2 pixels lie together.
        network.render.head.bias.data = torch.tensor([colour] * 12 + [mask] * 4)
        with torch.no_grad():
            return network(faces, displacement, reference, features)

    seen = picture_with(0.5, 50)
    torch.testing.assert_close(seen.image, seen.warped)
    painted = picture_with(0.5, -50).image
    torch.testing.assert_close(painted, torch.full_like(painted, torch.tanh(torch.tensor(0.5))))
    half = picture_with(0.5, -1)  # sigmoid(-1 + 1)
    torch.testing.assert_close(half.image, (half.warped + painted) / 2)


def test_the_flow_does_not_depend_on_the_colour_of_irises(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    eye = (slice(None), slice(None), slice(10, 16), slice(24, 30))
    flows, images = [], []
    for blue in (-0.3, 0.3):
        colour = torch.from_numpy(eye_colour(np.array([0.5, blue], np.float32)))
        colour = colour[None, :, None, None]
        faces[eye], face[eye] = colour.repeat(1, 3, 1, 1), colour
        with torch.no_grad():
            made = lite(faces, displacement, reference, lite.encode(reference, face))
        flows.append(made.flow)
        images.append(made.image)
    assert torch.equal(*flows)
    assert not torch.equal(*images)


def test_irises_that_lids_hid_are_those_that_are_told(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    eye = (slice(None), slice(None), slice(10, 16), slice(24, 30))
    colour = torch.from_numpy(eye_colour(np.array([0.5, 0.2], np.float32)))[None, :, None, None]
    faces[eye] = colour.repeat(1, 3, 1, 1)
    opened = face.clone()
    opened[eye] = colour
    with torch.no_grad():
        hidden, seen = (
            lite(faces, displacement, reference, lite.encode(reference, own)).warped[eye]
            for own in (face, opened)
        )
    told = torch.tensor([0.4, 0.5, 0.6])[None, :, None, None] * 2 - 1
    torch.testing.assert_close(hidden, told.expand_as(hidden), atol=1e-5, rtol=0)
    assert seen.std() > 0.1


def test_hidden_irises_have_the_hue_that_is_told_and_their_whites_half_of_it(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    iris, white = ((slice(None), slice(None), slice(10, 16), slice(a, a + 6)) for a in (24, 30))
    colour = torch.from_numpy(eye_colour(np.array([0.5, 0.2], np.float32)))[None, :, None, None]
    faces[iris] = colour.repeat(1, 3, 1, 1)
    faces[white] = torch.tensor([WHITE, 0, 0] * 3)[None, :, None, None]
    with torch.no_grad():
        image = lite(faces, displacement, reference, lite.encode(reference, face)).image
        faces[iris] = 0.5  # nothing is hidden where no iris is
        other = lite(faces, displacement, reference, lite.encode(reference, face)).image
    red, green, blue = image[iris].unbind(dim=1)
    torch.testing.assert_close(blue - green, torch.full_like(blue, 0.2), atol=1e-5, rtol=0)
    torch.testing.assert_close(green - red, torch.full_like(blue, 0.2), atol=1e-5, rtol=0)
    assert green.std() > 0.01
    red, green, blue = image[white].unbind(dim=1)
    torch.testing.assert_close(blue - red, torch.full_like(blue, 0.2), atol=1e-2, rtol=0)
    assert other[white].std(dim=1).min() > 0.01


def test_an_untrained_lite_paints_the_open_mouth_and_shows_the_rest(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    mouth = (slice(None), slice(None), slice(20, 30), slice(24, 40))
    faces[mouth] = GREY_MOUTH.repeat(3)[None, :, None, None]
    with torch.no_grad():
        made = lite(faces, displacement, reference, lite.encode(reference, face))
    near_paint = (made.image - made.painted).abs() < (made.image - made.warped).abs()
    assert near_paint[mouth].float().mean() > 0.95
    assert near_paint.float().mean() < 0.2


def test_a_mouth_seen_open_is_shown_and_one_seen_closed_is_not(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    mouth = (slice(None), slice(None), slice(20, 30), slice(24, 40))
    faces[mouth] = GREY_MOUTH.repeat(3)[None, :, None, None]
    opened = face.clone()
    opened[mouth] = GREY_MOUTH[None, :, None, None]
    with torch.no_grad():
        closed_reference, open_reference = (
            lite(faces, displacement, reference, lite.encode(reference, seen)).warped[mouth]
            for seen in (face, opened)
        )
    torch.testing.assert_close(closed_reference, torch.zeros_like(closed_reference))  # as told
    assert open_reference.std() > 0.1


@pytest.mark.parametrize("name", ["lite", "full"])
def test_audio_changes_the_picture_of_a_preset_that_hears(name: str) -> None:
    torch.manual_seed(1)
    small = replace(preset(name), audio=AUDIO)
    if name == "full":
        small = replace(small, widths=(16, 64, 256), flow_hidden=16, render_hidden=(16, 16, 16))
    network = HeadGan(small).eval()
    for block in network.render.audio:  # an untrained one of `lite` does nothing
        nn.init.normal_(block.convs[-1].weight, std=0.1)
    with torch.no_grad():
        one, same = (rebuild(network, audio=torch.zeros(1, AUDIO)).image for _ in range(2))
        other = rebuild(network, audio=torch.ones(1, AUDIO)).image
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert (one - other).abs().max() > 1e-4


def test_without_audio_there_are_no_adain_blocks(lite: HeadGan) -> None:
    assert not any(isinstance(module, AdaInBlock) for module in lite.modules())
    hearing = HeadGan(replace(LITE, audio=AUDIO))
    widths = [m.convs[0].in_channels for m in hearing.modules() if isinstance(m, AdaInBlock)]
    assert widths == list(reversed(LITE.widths))


def test_pictures_of_a_batch_do_not_touch_each_other(lite: HeadGan) -> None:
    faces, displacement, reference, face = inputs()
    pairs = [torch.cat([t, t.flip(-1)]) for t in (faces, displacement, reference, face)]
    with torch.no_grad():
        both = lite(*pairs[:3], lite.encode(pairs[2], pairs[3])).image
        alone = rebuild(lite).image
    torch.testing.assert_close(both[:1], alone, atol=1e-4, rtol=0)
    assert (both[0] - both[1]).abs().max() > 0.1


def test_every_weight_of_lite_learns() -> None:
    torch.manual_seed(2)
    network = HeadGan(LITE)
    rebuilt = rebuild(network)
    (rebuilt.image.square().mean() + rebuilt.warped.square().mean()).backward()
    still = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    # A convolution before an instance norm has a bias that the norm takes away.
    assert all(name.endswith(".bias") for name in still)


def test_folding_is_pixel_unshuffle() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 6, 16, 16)
    torch.testing.assert_close(_fold(images, 2), torch.nn.functional.pixel_unshuffle(images, 2))


def test_a_gate_holds_back_small_motion_and_opens_to_large_one() -> None:
    gate = torch.full((1, 1, 1, 3), 0.25)
    displacement = torch.zeros(1, 2, 1, 3)
    displacement[0, 0, 0] = torch.tensor([0.0, WHOLE_MOTION / 2, -3 * WHOLE_MOTION])
    opened = held_together(gate, displacement)[0, 0, 0]
    torch.testing.assert_close(opened, torch.tensor([0.25, 0.25 + 0.75 / 4, 1.0]))
