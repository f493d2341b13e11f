"""HeadGAN's generator: the dense flow network F and the rendering network R.

HeadGAN, section 3.3, appendix C, tables 4 and 5. One definition for every preset: `full` is the
tables to the letter; `lite` is the same idea made for a CPU. What `lite` adds:

* its scales lie at 128, 64 and 32 instead of 256, 128 and 64 pixels;
* the flow is ``gate * displacement + share * residual``: the mesh displacement ("Progressive
  warping", section 3.2) is a first flow, at full resolution, gate and residual are a quarter of its
  size, and the flow network works on features already warped by it; the share is `RESIDUAL_SHARE`;
* the rendering network sees the driving face image at its finer scales too, since a mouth is less
  than a pixel high at the coarsest, and paints open mouths and eyes that were not seen over what
  the face image tells of them (`shared.mouth`, `shared.iris`), whatever was warped there;
* the reference comes in layers (`shared.layers`): the person is warped at full resolution, from a
  reference of twice the size, and laid over a backdrop that stands still;
* that is mixed with the painted picture by a mask, so what was seen stays sharp and only what was
  not is painted. At the finest scale the warped reference itself, its 2x2 pixels as channels,
  stands in for warped features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention

from models.face_parts import (
    FACE_CHANNELS,
    iris_level,
    iris_size,
    mouth_level,
    mouth_size,
    tinted,
    unseen_iris,
    unseen_mouth,
    white_level,
    white_of,
    without_eyes,
)
from models.layering import enlarge, lay
from models.presets import Preset
from models.spade import SLOPE, AdaInBlock, SpadeBlock, instance_norm, resize, warp

PAST = 3  # frames of the driving face image: the current one and two past (section 3.3)
FLOW_CHANNELS = 2
SEEN_CHANNELS = 2  # where the person is now, and where they hid the backdrop
# How much of the learned residual flow is believed. What shoulders and hair do when a head moves
# differs from one person to the next, and a few dozen teach the network their own ways: on people
# whom it has not seen the whole residual moves the picture away from the original, half of it
# towards it (`python -m models.residual`). In training the share is random, so that the painter
# meets pictures that are warped not quite right, as those of strangers are.
RESIDUAL_SHARE = 0.5
# Picture sides from which on all of the mesh's motion is believed: where a gate closes amid so much
# of it, the picture is torn, and on strangers gates close in the wrong places.
WHOLE_MOTION = 0.1


class Scales(NamedTuple):
    """Features at three scales.

    Attributes:
        fine: (N, widths[0], 256 / stride, ...).
        middle: (N, widths[1], half of that, ...).
        coarse: (N, widths[2], a quarter of that, ...).
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class ReferenceFeatures(NamedTuple):
    """Appearance of the reference, computed once a call.

    Attributes:
        fine: as in `Scales`.
        middle: likewise.
        coarse: likewise.
        mouth: (N, 1, 1, 1), the area of the mouth's inside over the skin's.
        iris: (N, 1, 1, 1), the area of irises over the skin's.
        photo: (N, 4, 511, 511), what moves of the reference's layers, enlarged (`enlarge`).
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor
    mouth: Tensor
    iris: Tensor
    photo: Tensor


class Rebuilt(NamedTuple):
    """What the generator returns; the trainer has losses on all of it.

    Attributes:
        image: (N, 3, 256, 256), in [-1, 1].
        painted: what the rendering network painted before the mask mixed it with the warped
            reference, hidden eyes in the hue that is told; the image itself in presets that do
            not compose.
        warped: the warped reference, over its backdrop in presets that compose, (N, 3, 256, 256),
            in [-1, 1].
        flow: (N, 2, h, w), picture sides.
    """

    image: Tensor
    painted: Tensor
    warped: Tensor
    flow: Tensor


class Encoder(nn.Module):
    """Three convolutions with instance norm and ReLU, each half the size of the last."""

    def __init__(self, channels: int, widths: tuple[int, int, int], stride: int) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.reflect = stride == 1
        self.first = (
            nn.Conv2d(channels, fine, 7)
            if self.reflect
            else nn.Conv2d(channels, fine, 4, stride=stride, padding=1)
        )
        self.second = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.third = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Scales:
        """Return features of images (N, channels, 256, 256) at three scales."""
        if self.reflect:
            images = F.pad(images, (3, 3, 3, 3), mode="reflect")
        fine = F.relu(instance_norm(self.first(images)))
        middle = F.relu(instance_norm(self.second(fine)))
        return Scales(fine, middle, F.relu(instance_norm(self.third(middle))))


class Up(nn.Module):
    """Pixel shuffle to twice the size, after a convolution where the widths ask for one."""

    def __init__(self, channels: int, result: int) -> None:
        super().__init__()
        same = channels == 4 * result
        self.widen = nn.Identity() if same else nn.Conv2d(channels, 4 * result, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, result, 2H, 2W) of (N, channels, H, W)."""
        return F.pixel_shuffle(self.widen(features), 2)


class FlowNetwork(nn.Module):
    """The dense flow network F (table 4): from driving picture to reference picture."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        fine, middle, coarse = preset.widths
        self.displaced = preset.displacement
        self.residual_share = RESIDUAL_SHARE  # outside training
        modulation = FACE_CHANNELS * PAST + FLOW_CHANNELS * preset.displacement
        self.encoder = Encoder(3 + preset.compose + FACE_CHANNELS, preset.widths, preset.stride)
        self.coarse = nn.ModuleList(
            SpadeBlock(coarse, modulation, preset.flow_hidden, preset.residual)
            for _ in range(preset.flow_blocks)
        )
        self.up = Up(coarse, middle)
        self.middle = SpadeBlock(middle, modulation, preset.flow_hidden, preset.residual)
        if preset.displacement:
            self.head: nn.Module = nn.Conv2d(middle, 1 + FLOW_CHANNELS, 3, padding=1)
        else:
            self.head = nn.Sequential(
                Up(middle, fine),
                nn.ReflectionPad2d(3),
                nn.Conv2d(fine, FLOW_CHANNELS, 7),
            )
        _start_without_flow(self.head)

    def forward(self, features: ReferenceFeatures, faces: Tensor, displacement: Tensor) -> Tensor:
        """Return the flow, (N, 2, h, w), picture sides.

        Args:
            features: what `encoder` made of the reference and its face image.
            faces: driving face images, current first, (N, 9, 256, 256).
            displacement: mesh displacement, (N, 2, 256, 256), picture sides.
        """
        modulation = torch.cat([faces, displacement * 8], dim=1) if self.displaced else faces
        state = warp(features.coarse, displacement) if self.displaced else features.coarse
        middle = resize(modulation, 2 * state.shape[-1])
        coarse = resize(middle, state.shape[-1])
        for block in self.coarse:
            state = block(state, coarse)
        state = self.up(state)
        if self.displaced:
            state = state + warp(features.middle, displacement)
        state = self.middle(state, middle)
        result: Tensor = self.head(state)
        if not self.displaced:
            return result
        gate = torch.sigmoid(result[:, :1].float() + 2.0)  # trusts the mesh from the start
        # The mesh's own motion keeps its full size: lids, irises and lips are a few pixels high.
        small = torch.cat([gate, 0.1 * self._share(result) * result[:, 1:].float()], dim=1)
        large = resize(small, displacement.shape[-1])
        flow: Tensor = held_together(large[:, :1], displacement) * displacement + large[:, 1:]
        return flow

    def _share(self, result: Tensor) -> Tensor | float:
        """Return how much of the residual is taken: one number, or one for each of a batch."""
        if not self.training:
            return self.residual_share
        return torch.rand(len(result), 1, 1, 1, device=result.device)


class RenderingNetwork(nn.Module):
    """The rendering network R (table 5): paints the picture under the warped features."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        channels = FACE_CHANNELS * PAST + FLOW_CHANNELS * preset.displacement
        widths = preset.widths
        self.encoder = Encoder(channels, widths, preset.stride)
        middle, finest = widths[1], widths[0]
        if preset.compose:
            middle += FACE_CHANNELS
            finest = (3 + FACE_CHANNELS + SEEN_CHANNELS) * preset.stride**2
        self.blocks = nn.ModuleList(
            SpadeBlock(width, modulation, hidden, preset.residual)
            for width, modulation, hidden in zip(
                reversed(widths), (widths[2], middle, finest), preset.render_hidden, strict=True
            )
        )
        self.audio = nn.ModuleList(
            AdaInBlock(width, preset.audio, preset.residual)
            for width in reversed(widths)
            if preset.audio
        )
        self.ups = nn.ModuleList([Up(widths[2], widths[1]), Up(widths[1], widths[0])])
        if preset.compose:
            # Colour and mask of each of the pixels below the finest scale.
            self.head: nn.Module = nn.Conv2d(widths[0], 4 * preset.stride**2, 3, padding=1)
        else:
            hidden = preset.render_hidden[-1]
            self.last = SpadeBlock(widths[0], 3, hidden, preset.residual)
            self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(widths[0], 3, 7))

    def forward(
        self,
        faces: Tensor,
        displacement: Tensor,
        features: Scales,
        warped: Tensor,
        unseen: Tensor,
        audio: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the picture and what was painted of it, (N, 3, 256, 256), in [-1, 1].

        Args:
            faces: driving face images, (N, 9, 256, 256).
            displacement: mesh displacement, (N, 2, 256, 256).
            features: the modulation maps: the reference's features, warped by the flow.
            warped: the reference picture, warped by the flow, (N, 3, 256, 256).
            unseen: where a mouth or an eye is open that was closed in the reference,
                (N, 1, 256, 256).
            audio: audio features, (N, audio), for a preset that has them.
        """
        if self.preset.displacement:
            faces = torch.cat([faces, displacement * 8], dim=1)
        state = self.encoder(faces).coarse
        for index, (block, modulation) in enumerate(
            zip(self.blocks, reversed(features), strict=True)
        ):
            state = block(state, modulation)
            if self.preset.audio and audio is not None:
                state = self.audio[index](state, audio)
            if index < len(self.ups):
                state = self.ups[index](state)
        if not self.preset.compose:
            state = F.leaky_relu(self.last(state, warped), SLOPE)
            image = torch.tanh(self.head(state))
            return image, image
        head = F.pixel_shuffle(self.head(F.leaky_relu(state, SLOPE)), self.preset.stride).float()
        # What was seen is trusted from the start.
        mask = torch.sigmoid(head[:, 3:] + 1.0 - 4.0 * unseen.float())
        painted = torch.tanh(head[:, :3])
        return mask * warped + (1 - mask) * painted, painted


class HeadGan(nn.Module):
    """The generator G = (F, R)."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.flow = FlowNetwork(preset)
        self.render = RenderingNetwork(preset)

    def encode(self, reference: Tensor, face: Tensor) -> ReferenceFeatures:
        """Return the reference's features, computed once a call.

        Args:
            reference: the reference's layers, (N, 7, 256, 256), in [-1, 1].
            face: its face image, (N, 3, 256, 256), in [0, 1].
        """
        # New inputs go last, so that older weights can go on.
        seen = [reference[:, :3], without_eyes(face)]
        seen += [reference[:, 3:4]] * self.preset.compose
        scales: Scales = self.flow.encoder(torch.cat(seen, dim=1))
        mouth, iris = mouth_size(face), iris_size(face)
        return ReferenceFeatures(*scales, mouth, iris, enlarge(reference))

    def forward(
        self,
        faces: Tensor,
        displacement: Tensor,
        reference: Tensor,
        features: ReferenceFeatures,
        audio: Tensor | None = None,
    ) -> Rebuilt:
        """Return the rebuilt frame.

        Args:
            faces: driving face images, current first and two past, (N, 9, 256, 256).
            displacement: mesh displacement, (N, 2, 256, 256), picture sides.
            reference: the reference's layers, (N, 7, 256, 256), in [-1, 1]: picture, person,
                backdrop.
            features: what `encode` returned for it.
            audio: audio features, (N, audio), for a preset that has them.
        """
        flow = self.flow(features, without_eyes(faces), displacement)
        coarse, middle = warp(features.coarse, flow), warp(features.middle, flow)
        face = faces[:, :FACE_CHANNELS]
        unseen = unseen_mouth(face, features.mouth)
        if self.preset.compose:
            warped, seen = lay(reference, features.photo, flow)
            # Stretched lips and lashes would be copied: what is told of the openings is there.
            warped = warped + unseen * (mouth_level(face) - warped)
            hidden, told = unseen_iris(face, features.iris), iris_level(face)
            warped = warped + hidden * (told - warped)
            unseen = unseen + hidden
            middle = middle * (1 - resize(unseen, middle.shape[-1]))
            middle = torch.cat([middle, resize(face, middle.shape[-1])], dim=1)
            fine = _fold(torch.cat([warped, face, seen], dim=1), self.preset.stride)
        else:
            warped = warp(reference[:, :3], flow).float()
            fine = warp(features.fine, flow)
        aligned = Scales(fine, middle, coarse)
        image, painted = self.render(faces, displacement, aligned, warped, unseen, audio)
        if self.preset.compose:
            eyes = hidden + white_of(face) * hidden.amax(dim=(1, 2, 3), keepdim=True)
            hue = told + white_of(face) * (white_level(face) - told)
            image, painted = (tinted(own, hue, eyes) for own in (image, painted))
        return Rebuilt(image, painted, warped, flow)


def held_together(gate: Tensor, displacement: Tensor) -> Tensor:
    """Return a gate that is the more open the farther its pixel moves, (N, 1, H, W).

    Args:
        gate: (N, 1, H, W), in [0, 1].
        displacement: (N, 2, H, W), picture sides.
    """
    across, down = displacement[:, :1].float(), displacement[:, 1:].float()
    far = ((across * across + down * down) / WHOLE_MOTION**2).clamp(max=1)
    return gate + (1 - gate) * far


def _fold(images: Tensor, side: int) -> Tensor:
    """Return pixel blocks as channels, as `F.pixel_unshuffle` does.

    As a convolution, because ONNX Runtime takes thrice as long to move pixels about.
    """
    channels = images.shape[1] * side**2
    weight = torch.eye(channels, dtype=images.dtype, device=images.device)
    return F.conv2d(images, weight.reshape(channels, images.shape[1], side, side), stride=side)


def _start_without_flow(head: nn.Module) -> None:
    """Let an untrained network return no flow of its own: training starts from a still picture."""
    last = head[-1] if isinstance(head, nn.Sequential) else head
    if isinstance(last, nn.Conv2d) and last.bias is not None:
        # Flow is in picture sides: a pixel is 1/256, and thousands of inputs add up.
        nn.init.normal_(last.weight, std=0.02 / last.weight[0].numel())
        nn.init.zeros_(last.bias)
