"""One engine for several callers: who waits when it becomes free shares the next launch."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from models.engine.interface import Engine, Floats, Reference

log = logging.getLogger(__name__)

_CLOSED = "the engine was closed: the receiver is stopping"
_JOIN_S = 10.0


@dataclass(slots=True, eq=False)
class _Photograph:
    layers: Floats
    face: Floats
    done: Future[Reference] = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class _Frame:
    reference: Reference
    faces: Floats
    displacement: Floats
    audio: Floats | None
    done: Future[Floats] = field(default_factory=Future)


_Work = TypeVar("_Work", _Photograph, _Frame)


class SharedEngine:
    """Runs what its clients ask for, on as many threads as the engine has lanes.

    When a lane becomes free, all frames that wait go into one launch, the oldest first and at
    most `Engine.batch` of them. No launch waits to become full: on an idle engine a frame runs at
    once. A client waits for its picture, so it never has two frames here.

    How long a frame waits: frames run in the order in which they came. So nobody who came later
    goes first, and with C clients and launches of B frames a frame waits for

    * the first lane to become free,
    * at most ceil(C / B) - 1 launches with others' older frames, one frame of each: none where
      all clients fit into a launch,
    * at most one photograph before each launch: photographs and launches take turns.

    Each further lane only makes these fewer.
    """

    def __init__(self, engine: Engine) -> None:
        """Take over an engine; nobody else may use it from now on."""
        self._engine = engine
        self._frames: deque[_Frame] = deque()
        self._photographs: deque[_Photograph] = deque()
        self._photograph_was_last = False
        self._closed = False
        self._changed = threading.Condition()
        # Daemons: an engine that hangs must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._run, name=f"engine's lane {number}", daemon=True)
            for number in range(engine.lanes)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return self._engine.name

    def client(self) -> Engine:
        """Return a handle for one caller; each may be used on a thread of its own."""
        return _Client(self)

    def close(self) -> None:
        """End after what is under way; who waits gets a RuntimeError, and who comes."""
        with self._changed:
            self._closed = True
            waiting: list[_Frame | _Photograph] = [*self._frames, *self._photographs]
            self._frames.clear()
            self._photographs.clear()
            self._changed.notify_all()
        for one in waiting:
            one.done.set_exception(RuntimeError(_CLOSED))
        until = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            log.error("the engine has not returned for %.0f s and is left behind", _JOIN_S)

    def encode(self, layers: Floats, face: Floats) -> Future[Reference]:
        """Queue a photograph; arguments as of `Engine.encode`.

        Raises:
            RuntimeError: the engine is closed.
        """
        photograph = _Photograph(layers, face)
        self._queue(self._photographs, photograph)
        return photograph.done

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Future[Floats]:
        """Queue a frame; arguments as of `Engine.generate`, not to be changed until it is done.

        Raises:
            RuntimeError: the engine is closed.
        """
        frame = _Frame(reference, faces, displacement, audio)
        self._queue(self._frames, frame)
        return frame.done

    def _queue(self, waiting: deque[_Work], work: _Work) -> None:
        with self._changed:
            if self._closed:
                raise RuntimeError(_CLOSED)
            waiting.append(work)
            self._changed.notify()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                if isinstance(work, _Photograph):
                    work.done.set_result(self._engine.encode(work.layers, work.face))
                else:
                    self._launch(work)
            except BaseException as error:  # whatever it was, it belongs to those who wait
                for one in [work] if isinstance(work, _Photograph) else work:
                    one.done.set_exception(error)

    def _next(self) -> _Photograph | list[_Frame] | None:
        """Wait for work and take it: a photograph, a launch's frames, or None at the end."""
        with self._changed:
            while not (self._closed or self._frames or self._photographs):
                self._changed.wait()
            if self._closed:
                return None
            if self._photographs and not (self._frames and self._photograph_was_last):
                self._photograph_was_last = True
                return self._photographs.popleft()
            self._photograph_was_last = False
            count = min(len(self._frames), self._engine.batch)
            return [self._frames.popleft() for _ in range(count)]

    def _launch(self, frames: Sequence[_Frame]) -> None:
        pictures = self._engine.generate_batch(
            [one.reference for one in frames],
            np.concatenate([one.faces for one in frames]),
            np.concatenate([one.displacement for one in frames]),
            _sounds([one.audio for one in frames]),
        )
        for row, one in enumerate(frames):
            one.done.set_result(pictures[row : row + 1])


class _Client(Engine):
    """One caller's handle on a shared engine.

    `inputs` is the interface's own, a ring for each client: from an engine's one ring several
    callers would soon draw into the same arrays. Pinned ones would save nothing here, since a
    launch needs the frames of several callers side by side and so copies them.
    """

    def __init__(self, shared: SharedEngine) -> None:
        self._shared = shared

    @property
    def name(self) -> str:
        """What runs the networks, for people to read."""
        return self._shared.name

    def encode(self, layers: Floats, face: Floats) -> Reference:
        """Return a reference ready for use; waits for its turn."""
        return self._shared.encode(layers, face).result()

    def generate(
        self,
        reference: Reference,
        faces: Floats,
        displacement: Floats,
        audio: Floats | None = None,
    ) -> Floats:
        """Return the rebuilt picture, (1, 3, 256, 256), in [-1, 1]; waits for its turn."""
        return self._shared.generate(reference, faces, displacement, audio).result()


def _sounds(sounds: Sequence[Floats | None]) -> Floats | None:
    """Return the sounds of a launch, (N, 300); zeros are silence. None where nobody has any."""
    heard = next((one for one in sounds if one is not None), None)
    if heard is None:
        return None
    silence = np.zeros(heard.size, np.float32)
    return np.stack([silence if one is None else one.reshape(-1) for one in sounds])
