"""The capture thread: takes pictures in real time and keeps only the newest two."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sender.sources import Image, Picture, Source

log = logging.getLogger(__name__)

QUEUE_SIZE = 2


@dataclass(frozen=True, slots=True)
class Captured:
    """A picture with its place in the call.

    Attributes:
        sequence: how many pictures were captured before it.
        captured_ms: call clock at its capture, whole milliseconds.
        image: RGB, shape (H, W, 3).
    """

    sequence: int
    captured_ms: int
    image: Image


class NewestQueue:
    """Hands pictures from a thread to the event loop; a full queue drops its oldest."""

    def __init__(self, size: int = QUEUE_SIZE) -> None:
        self.dropped = 0
        self._loop = asyncio.get_running_loop()
        self._items: deque[Captured] = deque()
        self._size = size
        self._lock = threading.Lock()
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, item: Captured) -> None:
        """Add a picture; called from the thread."""
        with self._lock:
            self._items.append(item)
            if len(self._items) > self._size:
                self._items.popleft()
                self.dropped += 1
        self._wake()

    def end(self) -> None:
        """Say that no picture follows; called from the thread."""
        with self._lock:
            self._ended = True
        self._wake()

    async def get(self) -> Captured | None:
        """Wait for the oldest picture that is left; None after the last."""
        while True:
            self._changed.clear()
            with self._lock:
                if self._items:
                    return self._items.popleft()
                if self._ended:
                    return None
            await self._changed.wait()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:
            log.debug("the loop ended before the capture thread")


class Capture:
    """Reads a source in its own thread, in real time.

    Attributes:
        queue: what was captured.
        count: pictures captured so far, the number of the next one.
        start_ms: when a file's beginning was due on the call clock; None before it is known.
    """

    def __init__(
        self,
        source: Source,
        now_ms: Callable[[], float],
        first: list[Picture] | None = None,
        count: int = 0,
    ) -> None:
        """Prepare to capture.

        Args:
            source: what to read.
            now_ms: the call clock.
            first: pictures that were read already and come first.
            count: the number of the first picture.
        """
        self.queue = NewestQueue()
        self.count = count
        self.start_ms: float | None = None
        self._source = source
        self._now_ms = now_ms
        self._first = deque(first or [])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it; the source stays open."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def restart(self) -> None:
        """Count from 0 again: the call starts now."""
        self.count = 0

    def _run(self) -> None:
        try:
            self._read_on()
        except Exception:
            log.exception("capturing from %s failed", self._source.name)
        finally:
            self.queue.end()

    def _read_on(self) -> None:
        while not self._stopping.is_set():
            picture = self._first.popleft() if self._first else self._source.read()
            if picture is None:
                return
            if not self._source.is_live:
                if self.start_ms is None:
                    self.start_ms = self._now_ms() - picture.at_s * 1000
                wait_s = (self.start_ms + picture.at_s * 1000 - self._now_ms()) / 1000
                if wait_s > 0 and self._stopping.wait(wait_s):
                    return
            number, self.count = self.count, self.count + 1
            self.queue.put(Captured(number, int(self._now_ms()), picture.image))
