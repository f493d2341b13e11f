"""Callers without cameras: the real sending side of many calls, in one process.

`python -m benchmarks.load` runs it. What a face does was tracked beforehand (`Script`), so that
the cores are left to the receivers; joining, photograph, bundling, encoding and the data channel
are the sender's own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import typer
from rich.console import Console

from benchmarks.sending import send
from sender.photograph import MIME, encode_photograph
from shared.clock import CallClock, monotonic_ms
from shared.command import run_command
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.latency import Latency
from shared.params import Frame, Params
from shared.tasks import spawn
from shared.transport import CallSender

FPS = 25
JOIN_S = 120.0
SENDING = "all are sending"


@dataclass(frozen=True, slots=True)
class Script:
    """What callers show.

    Attributes:
        photograph: encoded, as the sender sends it.
        params: the frames', one after the other.
        face_model: fingerprint of the model they were fitted with.
    """

    photograph: bytes
    params: list[Params]
    face_model: str

    @classmethod
    def of(cls, clip: Path) -> Self:
        """Track a clip.

        Raises:
            BadInputError: it shows no face.
        """
        model, photograph, params = FaceModel.load(), b"", []
        for sent in send(clip, model):
            photograph = photograph or encode_photograph(sent.picture)
            params.append(sent.smoothed)
        if not params:
            raise BadInputError(f"{clip} shows no face: name a clip that does")
        return cls(photograph, params, model.fingerprint)

    def save(self, path: Path) -> None:
        """Write it as an npz file."""
        np.savez(
            path,
            photograph=np.frombuffer(self.photograph, np.uint8),
            params=np.stack([one.to_vector() for one in self.params]),
            face_model=np.array(self.face_model),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            BadInputError: the file is none.
        """
        try:
            with np.load(path) as entries:
                params = [Params.from_vector(row) for row in entries["params"]]
                return cls(entries["photograph"].tobytes(), params, str(entries["face_model"]))
        except (OSError, ValueError, KeyError) as error:
            raise BadInputError(f"{path} holds no script: {error}") from error

    def played(self, start: int) -> Iterator[Params]:
        """Yield the frames without end and without a jump: forth and back, from one on."""
        there_and_back = chain(self.params, self.params[-2:0:-1])
        return islice(cycle(there_and_back), start, None)


class Caller:
    """One call.

    Attributes:
        lag_ms: how late each frame came, since this process was late itself.
        unsent: frames that were not sent: nothing had moved, or the next was due already.
    """

    def __init__(self, script: Script, place: float) -> None:
        """Get ready.

        Args:
            script: what to show.
            place: among all callers, from 0 to 1: where in the script to begin, and when within
                the time of a frame, so that callers are no choir.
        """
        self._script = script
        self._place = place
        self._clock = CallClock()
        self._call: CallSender | None = None
        self.lag_ms: list[float] = []
        self.unsent = 0

    async def join(self, url: str, latency: Latency) -> None:
        """Make the call and send the photograph.

        Raises:
            HeadCallError: the receiver was not reached, or refused.
        """
        script = self._script
        self._call = await CallSender.connect(
            url, timeout=JOIN_S, face_model=script.face_model, clock=self._clock, latency=latency
        )
        if self._call.wants_reference:
            await self._call.send_reference(script.photograph, MIME)
        await self._call.send_calibration(script.params[0])

    async def talk(self, start_ms: float, frames: int) -> None:
        """Send frames at their pace.

        Args:
            start_ms: when all begin, on this machine's monotonic clock.
            frames: how many.
        """
        assert self._call is not None
        played = self._script.played(round(self._place * len(self._script.params)))
        for number, params in enumerate(islice(played, frames)):
            due_ms = start_ms + (number + self._place) * 1000 / FPS
            await asyncio.sleep(max(due_ms - monotonic_ms(), 0) / 1000)
            self.lag_ms.append(monotonic_ms() - due_ms)
            if self.lag_ms[-1] > 1000 / FPS:  # as a camera's frame that nobody fetched
                self.unsent += 1
                continue
            # Captured now, and not when it was due: that this process was late is no network's
            # delay, and must not make the receiver wait for others.
            self._call.send_frame(Frame(number, int(self._clock.now_ms()), params))

    async def leave(self) -> None:
        """End the call, if there is one."""
        if self._call is not None:
            self.unsent += self._call.frames_still
            await self._call.close("the measurement is over")


async def run(
    script: Script, urls: list[str], seconds: float, latency: Latency
) -> dict[str, float]:
    """Call every receiver, each by a caller of its own, all at the same time.

    Args:
        script: what the callers show.
        urls: the receivers' addresses.
        seconds: how long they send once all have joined.
        latency: how long frames may wait for one another.

    Returns:
        `start_ms` and `end_ms` on the machine's clock, `lag_p95_ms` (how late frames came) and
        `sent_fps`, frames a second and caller that were sent.

    Raises:
        HeadCallError: one of them did not come about.
    """
    callers = [Caller(script, place / len(urls)) for place in range(len(urls))]
    try:
        pairs = zip(callers, urls, strict=True)
        joining = [spawn(one.join(url, latency), "joining") for one, url in pairs]
        try:
            await asyncio.gather(*joining)
        finally:
            for task in joining:
                task.cancel()
        Console().print(SENDING)
        start_ms = monotonic_ms()
        frames = round(seconds * FPS)
        await asyncio.gather(*(one.talk(start_ms, frames) for one in callers))
        end_ms = monotonic_ms()
    finally:
        await asyncio.gather(*(one.leave() for one in callers))
    unsent = sum(one.unsent for one in callers) / len(callers)
    return {
        "start_ms": start_ms,
        "end_ms": end_ms,
        "lag_p95_ms": float(np.percentile([lag for one in callers for lag in one.lag_ms], 95)),
        "sent_fps": FPS * (1 - unsent / frames),
    }


def call(
    script: Annotated[Path, typer.Argument(help="What callers show; benchmarks.load makes it.")],
    urls: Annotated[list[str], typer.Argument(help="Receivers, one for each caller.")],
    report: Annotated[Path, typer.Option(help="JSON file to write.")],
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to send.")] = 10.0,
    latency: Annotated[Latency, typer.Option(help="As of the sender.")] = Latency.NORMAL,
) -> None:
    """Call receivers, all at the same time."""
    figures = asyncio.run(run(Script.load(script), urls, seconds, latency))
    report.write_text(json.dumps(figures), encoding="utf-8")


def main() -> None:
    """Run the command."""
    run_command(call)


if __name__ == "__main__":
    main()
