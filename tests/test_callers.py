"""Callers without cameras, against receivers' HTTP sides in this process."""

from __future__ import annotations

import contextlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.callers import FPS, Script, run
from sender.photograph import MIME
from shared.errors import BadInputError, UnreachableError
from shared.latency import Latency
from shared.pictures import PEER_MAX_PIXELS, decode_picture
from tests.receiving import photograph
from tests.sending import FACE_MODEL, Recorder, receiving, track


def script(count: int = 40) -> Script:
    return Script(photograph(), track(count), FACE_MODEL)


def test_a_clip_becomes_a_script_and_a_file(demo_clip: Path, tmp_path: Path) -> None:
    from benchmarks.video import cut

    short = tmp_path / "short.mp4"
    cut(demo_clip, 18.0, short)
    made = Script.of(short)
    made.save(tmp_path / "script.npz")
    read = Script.load(tmp_path / "script.npz")
    assert read.photograph == made.photograph
    assert decode_picture(read.photograph, PEER_MAX_PIXELS).shape[2] == 3
    assert read.face_model == made.face_model
    assert len(read.params) == len(made.params) > FPS
    for one, other in zip(read.params, made.params, strict=True):
        np.testing.assert_allclose(one.to_vector(), other.to_vector(), atol=1e-6)


def test_what_is_no_script_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no script")
    np.savez(tmp_path / "y.npz", params=np.zeros((1, 35)))
    for name in ("x.npz", "y.npz", "z.npz"):
        with pytest.raises(BadInputError, match="holds no script"):
            Script.load(tmp_path / name)


def test_a_script_is_played_forth_and_back_without_a_jump() -> None:
    made = script(5)
    number = {id(params): n for n, params in enumerate(made.params)}
    numbers = [number[id(params)] for params in islice(made.played(0), 12)]
    assert numbers == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]
    assert number[id(next(made.played(3)))] == 3


async def test_every_receiver_gets_a_whole_call() -> None:
    made, count, seconds = script(), 3, 1.0
    recorders = [Recorder() for _ in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        urls = [
            (await stack.enter_async_context(receiving(recorder))).url for recorder in recorders
        ]
        figures = await run(made, urls, seconds, Latency.LOW)
    assert figures["end_ms"] - figures["start_ms"] >= 1000 * (seconds - 1 / FPS)
    assert 0 < figures["sent_fps"] <= FPS
    starts = set()
    for recorder in recorders:
        assert recorder.references == [(made.photograph, MIME)]
        assert len(recorder.origins) == 1
        assert recorder.reasons == ["the measurement is over"]
        sequences = [frame.sequence for frame, _ in recorder.frames]
        assert sequences == sorted(sequences)
        assert 1 < len(sequences) <= seconds * FPS
        starts.add(recorder.frames[0][0].params.to_vector().tobytes())
    assert len(starts) == count, "they begin at different places"


async def test_one_that_is_not_reached_ends_all() -> None:
    recorder = Recorder()
    async with receiving(recorder) as there:
        with pytest.raises(UnreachableError):
            await run(script(), [there.url, "http://127.0.0.1:9"], 1.0, Latency.LOW)
    assert recorder.frames == []
