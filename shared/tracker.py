"""Finding a face and following it: 478 dense 3-D points a frame, with MediaPipe.

HeadGAN regresses about 1,000 points with RetinaFace (section 3.1); MediaPipe's FaceMesh gives
478 in a few ms on two cores: 468 of the skin and 5 of each iris (`shared.eyes`, `shared.lips`). Its
own detector misses faces whose eyes are closer than 40 pixels in a 640-wide picture, so a face is
acquired with the full-range detector on the whole picture and then followed in a window around it,
scaled so that the face always has the same size.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from shared.eyes import SEEN, with_eyes
from shared.lips import LIPS, with_lips
from shared.solutions import BLANK, face_detection, face_mesh, quiet_start

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

WINDOW_PIXELS = 320  # the window is scaled to this; a followed face is then about 160 px wide
WINDOW_TO_FACE = 2.0  # window side over face size
# The window stays put while the face moves less than this, so that resampling does not jitter.
DRIFT_TOLERANCE = 0.08
SIZE_TOLERANCE = 0.15
SMALL_PIXELS = 320  # the larger side of a picture that is looked through a second time
LOOKED_AT = [*SEEN, *LIPS]  # of the refined points


@dataclass(frozen=True, slots=True)
class _Window:
    """A square of the picture, in pixels; it may reach beyond the border."""

    left: float
    top: float
    side: float

    def cut(self, image: Image) -> Image:
        """Return the window's content, scaled to WINDOW_PIXELS; black beyond the border."""
        zoom = WINDOW_PIXELS / self.side
        matrix = np.array([[zoom, 0, -self.left * zoom], [0, zoom, -self.top * zoom]])
        size = (WINDOW_PIXELS, WINDOW_PIXELS)
        if zoom < 0.5:  # area averaging happens before the warp, which only samples
            factor = zoom * 2
            small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            image = np.asarray(small, np.uint8)
            matrix[:, :2] /= factor
        return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)

    def follow(self, points: Points) -> _Window:
        """Return the window for the next frame: this one while the face is well inside it."""
        ideal = _window_around(points[:, 0], points[:, 1])
        moved = max(
            abs(ideal.left + ideal.side / 2 - self.left - self.side / 2),
            abs(ideal.top + ideal.side / 2 - self.top - self.side / 2),
        )
        resized = abs(ideal.side / self.side - 1)
        if moved < DRIFT_TOLERANCE * self.side and resized < SIZE_TOLERANCE:
            return self
        return ideal


def _window_around(xs: npt.NDArray[np.float32], ys: npt.NDArray[np.float32]) -> _Window:
    left, right, top, bottom = (float(v) for v in (xs.min(), xs.max(), ys.min(), ys.max()))
    side = max(right - left, bottom - top, 8.0) * WINDOW_TO_FACE
    return _Window((left + right - side) / 2, (top + bottom - side) / 2, side)


def _coordinates(landmarks: Iterable[Any]) -> Points:
    return np.array([(point.x, point.y, point.z) for point in landmarks], np.float32)


class Tracker:
    """Follows one face through the frames of one camera.

    A tracker has state: use one per video, or `reset` it between unrelated pictures. It is not
    safe to use from two threads at once.
    """

    def __init__(self) -> None:
        with quiet_start():
            self._detector: Any = face_detection.FaceDetection(
                model_selection=1, min_detection_confidence=0.5
            )
            self._detector.process(BLANK)
        self._plain: Any = self._make_mesh(refined=False)
        self._refined: Any = self._make_mesh(refined=True)
        # MediaPipe lets go of the interpreter while it looks: both meshes look at the same time.
        self._beside = ThreadPoolExecutor(1, "refined")
        self._window: _Window | None = None

    @staticmethod
    def _make_mesh(refined: bool) -> Any:
        with quiet_start():
            mesh = face_mesh.FaceMesh(
                static_image_mode=False, max_num_faces=1, refine_landmarks=refined
            )
            mesh.process(BLANK)
        return mesh

    def track(self, image: Image) -> Points | None:
        """Return the face's points in one frame, or None when there is no face.

        Args:
            image: RGB picture, uint8, shape (H, W, 3).

        Returns:
            Shape (478, 3), float32: x and y in pixels of the image, z (away from the camera) in
            the same scale. The largest face is picked when none is being followed.

        Raises:
            ValueError: the image is not an RGB picture.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"an RGB uint8 picture is needed, not {image.dtype} {image.shape}")
        points = self._points_in_window(image) if self._window else None
        if points is None:
            points = self._acquire(image)
        self._window = self._window.follow(points) if points is not None and self._window else None
        return points

    def reset(self) -> None:
        """Forget the face that was followed."""
        self._close_meshes()
        self._plain = self._make_mesh(refined=False)
        self._refined = self._make_mesh(refined=True)
        self._window = None

    def close(self) -> None:
        """Free the native graphs."""
        self._beside.shutdown()
        self._close_meshes()
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _close_meshes(self) -> None:
        self._plain.close()
        self._refined.close()

    def _acquire(self, image: Image) -> Points | None:
        window = self._find_largest(image)
        if window is None:
            return None
        self._window = window
        first = self._points_in_window(image)
        if first is None:
            return None
        # MediaPipe has looked where its detector said, and looks from now on where the face was:
        # that moves skin and lips by up to a pixel, and not alike.
        again = self._points_in_window(image)
        return first if again is None else again

    def _find_largest(self, image: Image) -> _Window | None:
        """Return the window around the largest face; None when there is none."""
        found = self._detected(image)
        if not found:
            # The detector looks for people at some distance: one that fills the picture is found
            # where it is smaller.
            zoom = min(1.0, SMALL_PIXELS / max(image.shape[:2]))
            size = [max(round(zoom * side), 1) for side in image.shape[1::-1]]
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            edge = max(size) // 2
            framed = cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_CONSTANT)
            found = [
                _Window((window.left - edge) / zoom, (window.top - edge) / zoom, window.side / zoom)
                for window in self._detected(np.asarray(framed, np.uint8))
            ]
        return max(found, key=lambda window: window.side, default=None)

    def _detected(self, image: Image) -> list[_Window]:
        found = self._detector.process(np.ascontiguousarray(image)).detections or []
        height, width = image.shape[:2]
        windows = []
        for detection in found:
            box = detection.location_data.relative_bounding_box
            xs = np.array([box.xmin, box.xmin + box.width], np.float32) * width
            ys = np.array([box.ymin, box.ymin + box.height], np.float32) * height
            windows.append(_window_around(xs, ys))
        return windows

    def _points_in_window(self, image: Image) -> Points | None:
        window = self._window
        if window is None:
            return None
        cut = window.cut(image)
        looking = self._beside.submit(self._refined.process, cut)
        faces = self._plain.process(cut).multi_face_landmarks
        closer = looking.result().multi_face_landmarks
        if not faces or not closer:
            return None
        plain = _coordinates(faces[0].landmark)
        refined = np.zeros((len(closer[0].landmark), 3), np.float32)
        refined[LOOKED_AT] = _coordinates([closer[0].landmark[index] for index in LOOKED_AT])
        points = with_eyes(with_lips(plain, refined), refined) * np.float32(window.side)
        points[:, 0] += window.left
        points[:, 1] += window.top
        return points
