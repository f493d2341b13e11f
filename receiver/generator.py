"""One photograph and 35 floats in, one picture out: face images drawn, generator run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.engine import Engine, Floats, Reference
from shared.crop import PICTURE_SIZE, Crop
from shared.detail import Detail
from shared.errors import BadInputError
from shared.face_image import FaceRenderer, FaceShape
from shared.face_model import FaceModel
from shared.flaws import flaws
from shared.iris import iris_colour
from shared.layers import Layers, Mask
from shared.mouth import mouth_basis
from shared.mouth_meter import brightness, light_inside
from shared.params import Params
from shared.person import PersonFinder
from shared.tracker import Image, Points, Tracker

# A square picture that the head fills this far is a head crop already and is used whole.
WHOLE_PICTURE = 0.8
# A segmenter that sees less of the face than this has not found the person.
FOUND_PERSON = 0.8


class Generator:
    """Rebuilds frames of one person.

    Not for two threads at once, except ``paint``, which ``lanes`` threads may call.
    """

    def __init__(self, engine: Engine, model: FaceModel) -> None:
        self._engine = engine
        self._model = model
        self._renderer = FaceRenderer(model, PICTURE_SIZE)
        self._before: Floats | None = None  # the face images drawn last, the engine's array
        self._reference: Reference | None = None
        self._reference_params: Params | None = None
        self._home: FaceShape | None = None
        self._identity: Floats | None = None
        self._brightness = 0.0  # of the reference's face
        self._flaws: list[str] = []

    @property
    def lanes(self) -> int:
        """How many threads may paint at the same time."""
        return self._engine.lanes

    @property
    def reference_params(self) -> Params:
        """Expression and camera of the face in the reference picture."""
        if self._reference_params is None:
            raise RuntimeError("set_reference comes first")
        return self._reference_params

    @property
    def flaws(self) -> list[str]:
        """What keeps the photograph from being a good one, in words."""
        return self._flaws

    def set_reference(self, image: Image) -> Image:
        """Take a photograph of the caller, and forget the one before.

        Args:
            image: RGB uint8 of any size with one face or more; the largest is taken.

        Returns:
            The crop that is used, (256, 256, 3).

        Raises:
            BadInputError: there is no face in it.
        """
        points = _find_face(image)
        height, width = image.shape[:2]
        crop = Crop.around(points, width, height)
        if width == height and crop.side > WHOLE_PICTURE * width:
            crop = Crop(0.0, 0.0, float(width))
        points = crop.to_units(points)
        self._identity = self._model.calibrate(points)
        self._reference_params = self._model.fit(points, self._identity)
        self._flaws = flaws(points, self._reference_params)
        self._home = self._renderer.pose(self._identity, self._reference_params)
        picture = crop.cut(image)
        inside = light_inside(picture, self._home.mouth)
        face = self._renderer.draw(self._home, self._home, inside).nmfc
        self._brightness = brightness(picture, face)
        layers = _planes(Layers.split(picture, _find_person(picture, face)).stack())
        self._reference = self._engine.encode(layers / np.float32(127.5) - 1, _planes(face))
        self._before = None
        return picture

    def generate(
        self, params: Params, detail: Detail | None = None, heard: Floats | None = None
    ) -> Image:
        """Return the picture of a frame, RGB uint8 (256, 256, 3).

        Args:
            params: the frame's 35 floats, in the reference picture's crop.
            detail: what its picture shows beside them; None is not known.
            heard: features of its sound (`shared.sound_features`); None is silence.
        """
        return self.paint(*self.render(params, detail or Detail.none()), heard)

    def render(self, params: Params, detail: Detail) -> tuple[Floats, Floats]:
        """Draw a frame's geometry; frames must come in the order they are shown.

        Args:
            params: the frame's 35 floats, in the reference picture's crop.
            detail: what its picture shows beside them.

        Returns:
            The face images of this frame and two past, (1, 9, 256, 256), and the displacement,
            (1, 2, 256, 256); arrays of the engine's, good for three more frames.
        """
        if self._identity is None or self._home is None:
            raise RuntimeError("set_reference comes first")
        light = mouth_basis().light(detail.mouth) * np.float32(self._brightness)
        iris = iris_colour(detail.iris) * np.float32(self._brightness)
        driving = self._renderer.pose(self._identity, params)
        drawn = self._renderer.draw(driving, self._home, light, iris)
        faces, displacement = self._engine.inputs()
        faces[:, :3] = drawn.nmfc.transpose(2, 0, 1)
        # The current frame and two past (HeadGAN, section 3.3).
        if self._before is None:  # at the start the first frame is its own past
            faces[:, 3:6] = faces[:, 6:] = faces[:, :3]
        else:
            faces[:, 3:] = self._before[:, :6]
        self._before = faces
        displacement[:] = drawn.swayed(detail.sway).transpose(2, 0, 1)
        return faces, displacement

    def paint(self, faces: Floats, displacement: Floats, heard: Floats | None = None) -> Image:
        """Run the network on what `render` returned; RGB uint8 (256, 256, 3)."""
        if self._reference is None:
            raise RuntimeError("set_reference comes first")
        picture = self._engine.generate(self._reference, faces, displacement, heard)
        # In place: what several threads take and give back leaves holes in the heaps.
        picture += 1
        picture *= np.float32(127.5)
        np.rint(picture, out=picture)
        np.clip(picture, 0, 255, out=picture)
        return np.ascontiguousarray(picture[0].transpose(1, 2, 0), np.uint8)


def _find_face(image: Image) -> Points:
    with Tracker() as tracker:
        points = tracker.track(image)
    if points is None:
        raise BadInputError(
            "there is no face in the reference picture: use one where the face is seen from "
            "the front, well lit and at least 60 pixels wide"
        )
    return points


def _find_person(picture: Image, face: Floats) -> Mask:
    """Return where the person is; everywhere if only the face was found: then all of it moves."""
    with PersonFinder() as finder:
        person = finder.find(picture)
    found = person[face.any(axis=2)].mean() / 255
    return person if found > FOUND_PERSON else np.full_like(person, 255)


def _planes(image: npt.NDArray[np.generic]) -> Floats:
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
