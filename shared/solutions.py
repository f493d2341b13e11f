"""MediaPipe's solutions, imported and started without noise.

The one place that imports MediaPipe, so that it can go.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

# MediaPipe's native log would fill the terminal; it must be silenced before the import.
os.environ.setdefault("GLOG_minloglevel", "3")
warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)

from mediapipe.python import solution_base  # noqa: E402
from mediapipe.python.solutions import (  # noqa: E402
    face_detection,
    face_mesh,
    selfie_segmentation,
)

__all__ = ["BLANK", "face_detection", "face_mesh", "quiet_start", "selfie_segmentation"]

# MediaPipe makes a class for every picture's results. A class is garbage that only Python's rarest
# collection finds: a long call grew by 25 MB an hour until then. A plain object does as well.
solution_base.collections = SimpleNamespace(namedtuple=lambda name, fields: SimpleNamespace())

BLANK = np.zeros((64, 64, 3), np.uint8)  # a graph's first picture: its threads start with it
_START = threading.Lock()


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep what a starting graph's own threads write to the terminal off it.

    MediaPipe warns of harmless things past every log level. The lock keeps two starts from
    restoring each other's output.
    """
    with _START:
        saved = os.dup(2)
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
