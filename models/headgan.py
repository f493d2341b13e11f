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

from models.presets import Preset
from models.spade import SLOPE, AdaInBlock, SpadeBlock, instance_norm, resize, warp
from shared.face_image import (
    BLUEST,
    IRIS_HIGH,
    IRIS_LOW,
    MOUTH_DARK,
    MOUTH_WHITE,
    REDDEST,
)

PAST = 3  # frames of the driving face image: the current one and two past (section 3.3)
FACE_CHANNELS = 3
FLOW_CHANNELS = 2
SEEN_CHANNELS = 2  # where the person is now, and where they hid the backdrop
MOUTH_Z = 0.5
NO_FACE = 0.02
# The opening of the reference's mouth over the driving one's: between the middle two its inside is
# shown, beyond the outer two it is painted. Teeth do not stretch and shrink with the lips.
SEEN_FROM, SEEN_ALL, SEEN_STILL, SEEN_TO = 0.5, 0.9, 1.1, 1.5
# The same of the irises: below the first they are painted, above the second shown.
IRIS_FROM, IRIS_ALL = 0.4, 0.8
LUMA = (0.299, 0.587, 0.114)
WHITE_HUE = 0.5
MOVED_CHANNELS = 4  # of the reference's layers: the picture and where the person is
# How much of the learned residual flow is believed. What shoulders and hair do when a head moves
# differs from one person to the next, and a few dozen teach the network their own ways: on people
# whom it has not seen the whole residual moves the picture away from the original, half of it
# towards it (`python -m models.residual`). In training the share is random, so that the painter
# meets pictures that are warped not quite right, as those of strangers are.
RESIDUAL_SHARE = 0.5
# Picture sides from which on all of the mesh's motion is believed: where a gate closes amid so much
# of it, the picture is torn, and on strangers gates close in the wrong places.
WHOLE_MOTION = 0.1
# Picture sides: how far beyond the reference's border a person goes on, above it and beside it. A
# head that was cut off ends soon; repeated, its edge would stand there as a column. Below it the
# body goes on.
ABOVE, BESIDE = 0.05, 0.2


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
        mouth: (N, 1, 1, 1), the share of the picture that shows the inside of the mouth.
        iris: (N, 1, 1, 1), the share that shows irises.
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
            reference; the image itself in presets that do not compose.
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
        side = displacement.shape[-1]
        flow: Tensor = held_together(resize(gate, side), displacement) * displacement
        return flow + resize(0.1 * self._share(result) * result[:, 1:].float(), side)

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
        areas = {"mouth": _area(mouth_of(face)), "iris": _area(iris_of(face))}
        return ReferenceFeatures(*scales, **areas, photo=enlarge(reference))

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


def enlarge(reference: Tensor) -> Tensor:
    """Return what moves of a reference's layers, with a pixel more between each two.

    Sampled along straight lines between its own pixels, a picture loses a tenth of its sharpness.

    Args:
        reference: (N, 7, S, S), in [-1, 1].

    Returns:
        (N, 4, 2 S - 1, 2 S - 1), in [-1, 1].
    """
    moved, side = reference[:, :MOVED_CHANNELS].float(), 2 * reference.shape[-1] - 1
    large = F.interpolate(moved, size=(side, side), mode="bicubic", align_corners=True)
    return large.clamp(-1, 1).to(reference.dtype)


def sample(photo: Tensor, flow: Tensor, size: int) -> Tensor:
    """Return what `models.spade.warp` returns, from an enlarged picture; in float32.

    Args:
        photo: what `enlarge` returns for a picture of this size.
        flow: (N, 2, h, w), picture sides; any size.
        size: of the result, (N, 4, size, size).
    """
    places = torch.linspace(-1, 1, size, device=photo.device)
    base = torch.stack([places.expand(size, size), places[:, None].expand(size, size)])
    # The outermost pixels' middles lie a pixel less apart than the borders.
    grid = base + 2 * size / (size - 1) * resize(flow, size).float()
    return F.grid_sample(
        photo.float(), grid.permute(0, 2, 3, 1), "bilinear", "border", align_corners=True
    )


def lay(reference: Tensor, photo: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return the reference after the person moved and the backdrop did not.

    Beyond the reference's border the person ends, see `ABOVE`.

    Args:
        reference: its layers, (N, 7, 256, 256), in [-1, 1].
        photo: what `enlarge` makes of them.
        flow: (N, 2, h, w), picture sides.

    Returns:
        The picture, (N, 3, 256, 256), in [-1, 1], and in [0, 1] where the person is in it and
        where the backdrop is seen that they hid, (N, 2, 256, 256).
    """
    moved = sample(photo, flow, reference.shape[-1])
    person = (moved[:, 3:4] + 1) / 2 * _within(flow, reference.shape[-1])
    hidden = (1 - person) * (reference[:, 3:4] + 1) / 2
    picture = person * moved[:, :3] + (1 - person) * reference[:, 4:]
    return picture, torch.cat([person, hidden], dim=1)


def _within(flow: Tensor, size: int) -> Tensor:
    """Return 1 where a flow points into the reference, less beyond it, (N, 1, S, S), in [0, 1]."""
    flow = resize(flow, size).float()
    places = (torch.arange(size, device=flow.device, dtype=torch.float32) + 0.5) / size
    x, y = flow[:, 0:1] + places, flow[:, 1:2] + places[:, None]
    above = (1 + y / ABOVE).clamp(0, 1)
    beside = (1 + torch.minimum(x, 1 - x) / BESIDE).clamp(0, 1)
    within: Tensor = above * beside
    return within


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


def iris_of(faces: Tensor) -> Tensor:
    """Return where face images (N, 3 K, H, W) show irises, (N, K, H, W), 0 or 1.

    Their colour has x and y without z (`shared.face_image.eye_colour`).
    """
    return (_eyes(faces) & (faces[:, 1::3] > NO_FACE)).to(faces.dtype)


def white_of(face: Tensor) -> Tensor:
    """Return where a face image (N, 3, H, W) shows the whites of the eyes, (N, 1, H, W), 0 or 1."""
    return (_eyes(face) & (face[:, 1:2] < NO_FACE)).to(face.dtype)


def without_eyes(faces: Tensor) -> Tensor:
    """Return face images (N, 3 K, H, W) whose eyes have no colour: they move whatever it is."""
    return faces * (~_eyes(faces)).to(faces.dtype).repeat_interleave(FACE_CHANNELS, dim=1)


def _eyes(faces: Tensor) -> Tensor:
    return (faces[:, 0::3] > NO_FACE) & (faces[:, 2::3] < NO_FACE)


def iris_level(face: Tensor) -> Tensor:
    """Return the colour that a face image (N, 3, H, W) tells of irises, (N, 3, H, W), in [-1, 1].

    Of luma and of blue less red: green is taken to be as light as the whole.
    """
    luma, blue = ((face[:, :2] - IRIS_LOW) / (IRIS_HIGH - IRIS_LOW)).chunk(2, dim=1)
    half = (REDDEST + (BLUEST - REDDEST) * blue) / 2
    level: Tensor = torch.cat([luma - half, luma, luma + half], dim=1).clamp(0, 1) * 2 - 1
    return level


def white_level(face: Tensor) -> Tensor:
    """Return a colour of the hue that the whites of the eyes have, (N, 3, 1, 1), in [-1, 1].

    Half as much of it as the irises': the light is the same.

    Args:
        face: face image, (N, 3, H, W).
    """
    iris = iris_of(face)
    return WHITE_HUE * _area(iris * iris_level(face)) / (_area(iris) + 1e-5)


def tinted(image: Tensor, colour: Tensor, where: Tensor) -> Tensor:
    """Return a picture that is as light as it was and has a colour's hue, (N, 3, H, W).

    What is painted of irises is right in what is light and dark; of few pixels' colours a painter
    learns little, and discriminators like them iridescent.

    Args:
        image: (N, 3, H, W).
        colour: likewise.
        where: how much of the hue is taken, (N, 1, H, W), in [0, 1].
    """
    luma = image.new_tensor(LUMA)[None, :, None, None]
    lighter = (luma * (image - colour)).sum(dim=1, keepdim=True)
    return image + where * (colour + lighter - image)


def unseen_iris(face: Tensor, seen: Tensor) -> Tensor:
    """Return where irises are open that the reference hid, (N, 1, H, W), in [0, 1].

    Args:
        face: driving face image, (N, 3, H, W).
        seen: `ReferenceFeatures.iris`.
    """
    iris = iris_of(face)
    share = seen / (_area(iris) + 1e-5)
    return iris * (1 - ((share - IRIS_FROM) / (IRIS_ALL - IRIS_FROM)).clamp(0, 1))


def unseen_mouth(face: Tensor, seen: Tensor) -> Tensor:
    """Return where a mouth is open that the reference did not show so, (N, 1, H, W), in [0, 1].

    The displacement maps the open mouth to the reference's, however far open that was.

    Args:
        face: driving face image, (N, 3, H, W).
        seen: `ReferenceFeatures.mouth`.
    """
    mouth = mouth_of(face)
    share = seen / (_area(mouth) + 1e-5)
    opened = ((share - SEEN_FROM) / (SEEN_ALL - SEEN_FROM)).clamp(0, 1)
    not_wider = ((SEEN_TO - share) / (SEEN_TO - SEEN_STILL)).clamp(0, 1)
    return mouth * (1 - opened * not_wider)


def _fold(images: Tensor, side: int) -> Tensor:
    """Return pixel blocks as channels, as `F.pixel_unshuffle` does.

    As a convolution, because ONNX Runtime takes thrice as long to move pixels about.
    """
    channels = images.shape[1] * side**2
    weight = torch.eye(channels, dtype=images.dtype, device=images.device)
    return F.conv2d(images, weight.reshape(channels, images.shape[1], side, side), stride=side)


def _area(masks: Tensor) -> Tensor:
    return masks.mean(dim=(2, 3), keepdim=True)


def _start_without_flow(head: nn.Module) -> None:
    """Let an untrained network return no flow of its own: training starts from a still picture."""
    last = head[-1] if isinstance(head, nn.Sequential) else head
    if isinstance(last, nn.Conv2d) and last.bias is not None:
        # Flow is in picture sides: a pixel is 1/256, and thousands of inputs add up.
        nn.init.normal_(last.weight, std=0.02 / last.weight[0].numel())
        nn.init.zeros_(last.bias)
