"""Training pairs: a reference and a driving frame of the same person, augmented alike.

HeadGAN, section 4.1: self-reenactment, the reference being sampled from the target's own video.
A photograph makes a pair with itself, moved (`models.photo_motion`). Pair `i` depends on the seed
and `i` alone, so that a resumed run sees the pairs that an unbroken one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own convention
from torch.utils.data import Dataset

from models.augmentation import Augmentation
from models.face_parts import without_eyes
from models.headgan import PAST
from models.photo_motion import moved_alike
from models.tracked import TrackedClips
from shared.crop import PICTURE_SIZE
from shared.errors import BadInputError
from shared.face_image import FaceRenderer, FaceShape
from shared.face_model import FaceModel
from shared.iris import iris_colour
from shared.iris import usual as usual_iris
from shared.iris_meter import IrisMeter
from shared.layers import Layers, Mask
from shared.mouth import mouth_basis, unseen
from shared.mouth_meter import brightness, light_inside
from shared.mouth_meter import measure as look_inside
from shared.openings import openings
from shared.optical_flow import SIDE, grey
from shared.params import Floats, Params
from shared.pictures import Image
from shared.sound_features import BANDS, FEATURES, STEPS
from shared.sway import still
from shared.sway_meter import measure, share

MIN_IMAGES = 4  # a clip with fewer pictures makes no useful pairs
# Most frames look alike. Of the pairs a part has the driving frame that lies farther off of two,
# and a part that of four whose eyes or mouth are open otherwise: a blink is seldom drawn.
FAR_SHARE, OTHERWISE_SHARE = 0.4, 0.25
FAR_OF, OTHERWISE_OF = 2, 4
# By which eyes and mouth differ in a lively clip.
OPENING_STEPS = np.array([0.2, 0.2, 0.3], np.float32)
PHOTO_SHARE = 0.25  # of the pairs come from photographs: twelve times more people than in clips
# Around the face of a photograph the mesh's displacement undoes the motion exactly, as it never
# does in a clip: there a photograph would teach the flow not to look, so it is not judged.
JUDGED_MARGIN = 6  # pixels around a photograph's face
SWAY_PASSES = 2  # a sender's flow looks on from the frame before; that of a pair from what it found
# Of the pairs: the mesh alone must do where the flow finds nothing or openings are not told of.
UNSWAYED_SHARE, UNTOLD_SHARE = 0.1, 0.1
# Of the pairs: the irises count as hidden by the reference's lids. Few eyes are closed, and from
# these alone nobody would learn to paint irises by what is told of them.
HIDDEN_SHARE = 0.2
# A call may have no sound, or have it too late for a frame: what was spoken last is then missing.
SILENT_SHARE, CUT_SHARE = 0.25, 0.25
LONGEST_CUT = 5  # steps of 20 ms


@dataclass(frozen=True, slots=True)
class View:
    """A picture, RGB uint8 (256, 256, 3), the person and the face in it."""

    image: Image
    person: Mask
    shape: FaceShape

    def change(self, augmentation: Augmentation) -> View:
        """Return all changed alike."""
        return View(
            augmentation.image(self.image),
            augmentation.place(self.person),
            augmentation.shape(self.shape),
        )


class Pairs(Dataset[dict[str, Tensor]]):
    """Pairs of frames of the same clip, and of photographs with themselves."""

    def __init__(self, clips: TrackedClips, seed: int, count: int, augment: bool = True) -> None:
        self.clips = clips
        self.model = FaceModel.load()
        self.renderer = FaceRenderer(self.model, PICTURE_SIZE)
        self.small_renderer = FaceRenderer(self.model, SIDE)
        self.seed, self.count, self.augment = seed, count, augment
        self.openings = openings(clips.points[clips.image_rows]) / OPENING_STEPS
        clip_of_image = self.clips.clip[self.clips.image_rows]
        images = [np.flatnonzero(clip_of_image == i) for i in range(len(self.clips.names))]
        self.images = [own for own in images if len(own) >= MIN_IMAGES]
        self.photos = [int(own[0]) for own in images if len(own) == 1]
        if not self.images:
            raise BadInputError(f"there is no clip with {MIN_IMAGES} pictures or more in the data")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return pair `index`; see `pair` for what is in it."""
        random = np.random.default_rng((self.seed, index))
        own = self.images[random.integers(len(self.images))]
        drawn = random.choice(own, min(1 + OTHERWISE_OF, len(own)), replace=False)
        reference, driving = int(drawn[0]), self._driving(drawn, random.random())
        augmentation = Augmentation.draw(random) if self.augment else Augmentation.none()
        if self.photos and random.random() < PHOTO_SHARE:
            photo = self.photos[random.integers(len(self.photos))]
            pair = self.photo_pair(photo, (reference, driving), augmentation)
        else:
            swayed, told = (
                not self.augment or random.random() >= share
                for share in (UNSWAYED_SHARE, UNTOLD_SHARE)
            )
            pair = self.pair(reference, driving, augmentation, swayed, told)
        if self.augment:
            if random.random() < HIDDEN_SHARE:
                pair["face"] = without_eyes(pair["face"][None])[0]
            deafen(pair["audio"], random)
        return pair

    def pair(
        self,
        reference: int,
        driving: int,
        augmentation: Augmentation,
        swayed: bool = True,
        told: bool = True,
    ) -> dict[str, Tensor]:
        """Return one pair of a clip's pictures by their indices.

        Args:
            reference: index of the picture to move.
            driving: index of the picture to rebuild.
            augmentation: the change on both.
            swayed: whether the displacement tells of hair and shoulders as well.
            told: whether the face image tells what the openings of the face show.

        Returns:
            `reference`, (7, 256, 256) uint8, the layers of `shared.layers`; `target`,
            (3, 256, 256) uint8; `face` of the reference, (3, 256, 256), `faces` of the driving
            frame and two past, (9, 256, 256), `displacement`, (2, 256, 256), float32; `judged`,
            (1, 256, 256), bool: where the rebuilt picture is compared with the target; `audio`,
            (300,), float32, features of the driving frame's sound.
        """
        clips = self.clips
        row, reference_row = clips.image_rows[driving], clips.image_rows[reference]
        first = int(np.searchsorted(clips.clip, clips.clip[row]))
        identity = self.model.calibrate(clips.points[reference_row])
        home = self._view(reference, self._pose(identity, reference_row))
        # Before the clip's start the first frame stands in for the past ones.
        shapes = [self._pose(identity, max(row - back, first)) for back in range(PAST)]
        target = self._view(driving, shapes[0])
        pair = self._draw(home, target, shapes[1:], augmentation, swayed, told)
        judged = torch.ones(1, PICTURE_SIZE, PICTURE_SIZE, dtype=torch.bool)
        return pair | {"judged": judged, "audio": torch.from_numpy(clips.sound(driving))}

    def photo_pair(
        self, photo: int, motion: tuple[int, int], augmentation: Augmentation
    ) -> dict[str, Tensor]:
        """Return a photograph as target, with itself moved as reference.

        Args:
            photo: index of the photograph.
            motion: indices of two pictures of a clip; the face moves as between them.
            augmentation: the change on both.
        """
        row = self.clips.image_rows[photo]
        identity = self.model.calibrate(self.clips.points[row])
        still = self.model.fit(self.clips.points[row], identity)
        moved = moved_alike(still, *self._fit_clip(motion))
        target = self._view(photo, self.renderer.pose(identity, still))
        shape = self.renderer.pose(identity, moved)
        displacement = self.renderer.draw(shape, target.shape).displacement
        layers = Layers.split(target.image, target.person)
        home = View(*layers.move(displacement), shape)
        pair = self._draw(home, target, [target.shape] * (PAST - 1), augmentation, swayed=False)
        face = pair["faces"][:3].amax(dim=0, keepdim=True)
        judged = F.max_pool2d(face, 2 * JUDGED_MARGIN + 1, stride=1, padding=JUDGED_MARGIN) > 0
        return pair | {"judged": judged, "audio": torch.zeros(FEATURES)}

    def _draw(
        self,
        home: View,
        target: View,
        past: list[FaceShape],
        augmentation: Augmentation,
        swayed: bool,
        told: bool = True,
    ) -> dict[str, Tensor]:
        home, target = home.change(augmentation), target.change(augmentation)
        shapes = [target.shape, *(augmentation.shape(shape) for shape in past)]
        seen = light_inside(home.image, home.shape.mouth)
        face = self.renderer.draw(home.shape, home.shape, seen).nmfc
        openings = _openings(home, target, brightness(home.image, face), told)
        drawn = [self.renderer.draw(shape, home.shape, *openings) for shape in shapes]
        sway = self._sway(home, target) if swayed else still()
        return {
            "reference": _planes(Layers.split(home.image, home.person).stack()),
            "target": _planes(target.image),
            "face": _planes(face),
            "faces": torch.cat([_planes(image.nmfc) for image in drawn]),
            "displacement": _planes(drawn[0].swayed(sway)),
        }

    def _sway(self, home: View, target: View) -> Floats:
        """Return the sway between a pair as a sender measures it, once it has followed it."""
        drawn = self.small_renderer.draw(target.shape, home.shape)
        pictures = grey(target.image), grey(home.image), share(home.person)
        sway = still()
        for _ in range(SWAY_PASSES):
            sway = measure(*pictures, drawn, sway)
        return sway

    def _view(self, picture: int, shape: FaceShape) -> View:
        return View(self.clips.image(picture), self.clips.person(picture), shape)

    def _driving(self, drawn: npt.NDArray[np.int_], share: float) -> int:
        """Return the picture to drive the first of those drawn with.

        Args:
            drawn: pictures of one clip.
            share: in [0, 1), decides how it is chosen.
        """
        reference, *others = (int(picture) for picture in drawn)
        if share < FAR_SHARE:
            return max(others[:FAR_OF], key=lambda other: self._apart(reference, other))
        if share < FAR_SHARE + OTHERWISE_SHARE:
            own, theirs = self.openings[reference], self.openings[others]
            return others[int(np.abs(theirs - own).max(axis=1).argmax())]
        return others[0]

    def _apart(self, one: int, other: int) -> float:
        """Return how far two pictures' points lie apart, mean square in crop sides."""
        points = self.clips.points[self.clips.image_rows[[one, other]]]
        return float(np.square(points[0] - points[1]).mean())

    def _fit_clip(self, images: tuple[int, int]) -> list[Params]:
        """Return the 35 floats of two pictures of a clip, with the identity of the first."""
        points = self.clips.points[self.clips.image_rows[list(images)]]
        identity = self.model.calibrate(points[0])
        return [self.model.fit(own, identity) for own in points]

    def _pose(self, identity: Floats, row: int) -> FaceShape:
        params: Params = self.model.fit(self.clips.points[row], identity)
        return self.renderer.pose(identity, params)


def _openings(home: View, target: View, face: float, told: bool) -> tuple[Floats, Floats]:
    """Return how light the inside of the mouth is, (8, 9), and the colour of the irises, (2,).

    As a receiver knows them, who has seen the one picture and is told of the other.
    """
    mouth, iris = unseen(), usual_iris()
    if told:
        mouth = look_inside(target.image, target.shape.mouth, face)
        meter = IrisMeter(face)
        for view in (home, target):
            iris = meter.measure(view.image, view.shape.points)
    return mouth_basis().light(mouth) * np.float32(face), iris_colour(iris) * np.float32(face)


def deafen(audio: Tensor, random: np.random.Generator) -> None:
    """Take some pairs' sound away, or the end of it.

    Args:
        audio: features of one moment, (300,); changed.
        random: decides.
    """
    share = random.random()
    steps = audio.view(STEPS, BANDS)
    if share < SILENT_SHARE:
        steps.zero_()
    elif share < SILENT_SHARE + CUT_SHARE:
        steps[-int(random.integers(1, LONGEST_CUT + 1)) :] = 0


def _planes(image: npt.NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
