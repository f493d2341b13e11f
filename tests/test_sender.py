"""The sending side: sources, capture, calibration, figures, and the command itself."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import sys
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.clips import DEMO_START_S
from models.prepare import clip_frames
from sender.calibration import find_calibration
from sender.capture import Capture, Captured, NewestQueue
from sender.cli import app
from sender.figures import Figures, check_report_path
from sender.photograph import encode_photograph, read_photograph
from sender.pipeline import Options, Pipeline
from sender.sources import ClipSource, Picture, open_source
from sender.status import StatusLine, line
from shared.clock import monotonic_ms
from shared.errors import BadInputError
from shared.face_model import FaceModel
from shared.pictures import decode_picture
from shared.tracker import Tracker
from shared.transport import CallSender
from tests.sending import FACE_MODEL, Recorder, TestReceiver, receiving, write_clip

BLACK = np.zeros((48, 64, 3), np.uint8)


class Slides:
    """A source that gives prepared pictures as fast as they are read."""

    name = "slides"

    def __init__(self, count: int, is_live: bool = False) -> None:
        self.is_live = is_live
        self._pictures = iter([Picture(BLACK, i / 1000) for i in range(count)])

    def read(self) -> Picture | None:
        return next(self._pictures, None)

    def close(self) -> None:
        pass


def times_of(source: ClipSource, most: int = 1000) -> list[float]:
    times = []
    while len(times) < most and (picture := source.read()) is not None:
        times.append(picture.at_s)
    source.close()
    return times


@pytest.mark.parametrize(("fps", "kept"), [(10, 30), (25, 30), (30, 25), (50, 15)])
def test_a_clip_is_thinned_to_25_frames_a_second_by_picking(
    tmp_path: Path, fps: int, kept: int
) -> None:
    times = times_of(ClipSource(write_clip(tmp_path / "clip.mp4", 30, fps), 25.0, loop=False))
    assert len(times) == kept
    assert times[0] == 0
    # Picked, not moved: every time is one that the file has.
    assert np.allclose(np.array(times) * fps, np.round(np.array(times) * fps), atol=0.05)


def test_a_clip_gives_its_own_pictures_in_order(tmp_path: Path) -> None:
    source = ClipSource(write_clip(tmp_path / "clip.mp4", 20), 25.0, loop=False)
    greys = []
    while (picture := source.read()) is not None:
        assert picture.image.shape == (48, 64, 3)
        greys.append(picture.image.mean())
    source.close()
    assert np.allclose(greys, np.arange(20) * 4, atol=4)


def test_a_looped_clip_goes_on_in_time(tmp_path: Path) -> None:
    source = ClipSource(write_clip(tmp_path / "clip.mp4", 10), 25.0, loop=True)
    times = times_of(source, most=35)
    assert np.allclose(np.diff(times), 0.04, atol=0.002)


def test_sources_that_are_none_say_what_to_do(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video at all")
    for source in ("missing.mp4", str(text), str(tmp_path), "7"):
        with pytest.raises(BadInputError):
            open_source(source, 25.0, loop=False)


async def test_a_full_queue_drops_its_oldest() -> None:
    queue = NewestQueue(size=2)
    for number in range(5):
        queue.put(Captured(number, 0, BLACK))
    queue.end()
    left = [item.sequence for item in [await queue.get(), await queue.get()] if item]
    assert left == [3, 4]
    assert queue.dropped == 3
    assert await queue.get() is None


async def test_capture_numbers_frames_and_ends() -> None:
    capture = Capture(Slides(20), lambda: 5000.0, [Picture(BLACK, 0.0)], count=7)
    capture.start()
    numbers = []
    while (captured := await capture.queue.get()) is not None:
        numbers.append(captured.sequence)
        assert captured.captured_ms == 5000
    await asyncio.to_thread(capture.stop)
    assert numbers == sorted(numbers)
    assert numbers[-1] == 7 + 20 == capture.count - 1
    assert len(numbers) + capture.queue.dropped == 21


def test_a_clip_without_a_face_is_bad_input() -> None:
    model = FaceModel.load()
    with Tracker() as tracker, pytest.raises(BadInputError, match="no face was found"):
        find_calibration(Slides(3), tracker, model, threading.Event())


def test_a_frame_that_makes_no_good_photograph_says_why(demo_clip: Path) -> None:
    source = ClipSource(demo_clip, 25.0, loop=False)
    with Tracker() as tracker:
        found = find_calibration(source, tracker, FaceModel.load(), threading.Event())
    source.close()
    assert found is not None
    (flaw,) = found.flaws  # she looks down
    assert flaw.startswith("an eye is closed")


def test_looking_for_a_face_can_be_stopped() -> None:
    stopping = threading.Event()
    stopping.set()
    with Tracker() as tracker:
        assert find_calibration(Slides(3), tracker, FaceModel.load(), stopping) is None


def test_a_photograph_without_a_face_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "wall.webp"
    path.write_bytes(encode_photograph(np.full((300, 300, 3), 90, np.uint8)))
    with pytest.raises(BadInputError, match="no face was found"):
        read_photograph(path)


def test_a_photograph_becomes_a_small_square(demo_clip: Path, tmp_path: Path) -> None:
    source = ClipSource(demo_clip, 25.0, loop=False)
    picture = source.read()
    source.close()
    assert picture is not None
    path = tmp_path / "me.webp"
    path.write_bytes(encode_photograph(picture.image))
    data = read_photograph(path)
    assert decode_picture(data, 256 * 256).shape == (256, 256, 3)
    assert len(data) < 60_000


def test_what_is_wrong_with_a_photograph_is_said(
    demo_clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = list(islice(clip_frames(demo_clip), round(DEMO_START_S * 24) + 1))
    path = tmp_path / "me.webp"
    path.write_bytes(encode_photograph(frames[-1]))
    read_photograph(path)
    assert not caplog.messages
    path.write_bytes(encode_photograph(frames[0]))  # she looks down
    read_photograph(path)
    (message,) = caplog.messages
    assert message.startswith(f"{path}: an eye is closed")


def test_reports_are_refused_before_the_call_and_not_after_it(tmp_path: Path) -> None:
    check_report_path(tmp_path / "call.json")
    for path in (tmp_path, tmp_path / "missing" / "call.json"):
        with pytest.raises(BadInputError, match="cannot be written"):
            check_report_path(path)


def test_a_report_without_a_call_is_still_json() -> None:
    report = json.loads(json.dumps(Figures().report(None)))
    assert report["frames_sent"] == 0
    assert report["crop"] is None
    assert report["wire_bytes"] == report["reference_wire_bytes"] == 0
    assert report["stamps_ms"]["joining"] is None


def quiet() -> StatusLine:
    return StatusLine(Console(quiet=True))


async def test_the_status_line_says_when_there_is_no_face() -> None:
    async with receiving(Recorder(wants_reference=False)) as receiver:
        call = await CallSender.connect(receiver.url, timeout=20, face_model=FACE_MODEL)
        stats = call.stats()
        await call.close("done")
    assert "no face" in line(25.0, 40.0, stats, has_face=False)
    assert "no face" not in line(25.0, 40.0, stats, has_face=True)
    assert "25.0 fps" in line(25.0, 40.0, stats, has_face=True)


async def test_the_status_line_says_when_the_receiver_is_looked_for() -> None:
    async with receiving(Recorder(wants_reference=False)) as receiver:
        call = await CallSender.connect(receiver.url, timeout=20, face_model=FACE_MODEL)
        stats = call.stats()
        await call.close("done")
    said = io.StringIO()
    with StatusLine(Console(file=said, force_terminal=True, width=80)) as status:
        status.update(Figures(), stats, True, 10.0, reconnecting=True)
        assert "reconnecting… 0 s" in said.getvalue()
        status.update(Figures(), stats, True, 13.0, reconnecting=True)
        assert "reconnecting… 3 s" in said.getvalue()
        status.update(Figures(), stats, True, 14.0)
        status.update(Figures(), stats, True, 20.0, reconnecting=True)
        assert said.getvalue().count("reconnecting… 0 s") == 2


async def test_a_clip_is_sent_from_its_first_frame(demo_clip: Path) -> None:
    handler = Recorder(face_model=FaceModel.load().fingerprint)
    async with receiving(handler) as receiver:
        pipeline = Pipeline(Options(receiver.url, str(demo_clip), seconds=1.5), quiet())
        await pipeline.run()
        reason = await receiver.calls[0].wait_closed()
    outcome = pipeline.outcome
    assert "seconds are over" in reason
    assert outcome.stats is not None
    figures = outcome.figures
    assert figures.crop is not None
    assert 0 < figures.frames_sent <= figures.frames_captured
    # The reference is the first frame, and so is the origin: no motion between the two.
    first, _ = handler.frames[0]
    assert first.sequence == 0
    model, identity = FaceModel.load(), np.zeros(len(FaceModel.load().identity), np.float32)
    shift = model.points(identity, first.params) - model.points(identity, handler.origins[0])
    assert np.abs(shift).mean() < 0.005
    (data, mime), *more = handler.references
    assert not more
    assert mime == "image/webp"
    assert figures.reference_bytes == len(data) < 40_000
    report = figures.report(outcome.stats)
    stamps = report["stamps_ms"]
    assert stamps["clock_start"] <= stamps["joining"] < stamps["first_sent"] < stamps["ended"]
    assert stamps["ended"] <= monotonic_ms()
    assert report["crop"]["side"] > 0
    assert 0 < report["bytes_per_frame"] <= 30


async def test_a_receiver_with_its_own_photograph_gets_none(demo_clip: Path) -> None:
    handler = Recorder(wants_reference=False, face_model=FaceModel.load().fingerprint)
    async with receiving(handler) as receiver:
        pipeline = Pipeline(Options(receiver.url, str(demo_clip), seconds=0.5), quiet())
        await pipeline.run()
    assert not handler.references
    assert handler.origins
    assert pipeline.outcome.figures.reference_bytes == 0


async def test_a_receiver_that_hangs_up_ends_the_call_in_peace(demo_clip: Path) -> None:
    handler = Recorder(wants_reference=False, face_model=FaceModel.load().fingerprint)
    async with receiving(handler) as receiver:
        pipeline = Pipeline(Options(receiver.url, str(demo_clip), loop=True), quiet())
        running = asyncio.create_task(pipeline.run())
        await handler.enough.wait()
        await receiver.calls[0].close("the receiver is shut down")
        await running
    assert pipeline.outcome.reason == "the receiver is shut down"


# Tests that run in the background of a shell inherit that Ctrl-C is ignored.
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from sender.cli import main
main()
"""


async def command(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMMAND,
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100"},
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense", "--source", "CLIP"], "is not an http or https address"),
        (["http://127.0.0.1:1", "--source", "missing.mp4"], "there is no file missing.mp4"),
        (["http://127.0.0.1:1", "--source", "CLIP", "--ref", "CLIP"], "not a JPEG"),
        (["http://127.0.0.1:1", "--report", "FOLDER"], "cannot be written"),
        (["http://127.0.0.1:1", "--source", "97"], "there is no camera 97"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    clip = write_clip(tmp_path / "wall.mp4", 5)
    given = [{"CLIP": str(clip), "FOLDER": str(tmp_path)}.get(item, item) for item in arguments]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert len(result.output.splitlines()) == 1


def test_help_teaches() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for word in ("--source", "--ref", "--report", "Examples", "Exit codes", "receiver"):
        assert word in result.output


async def test_nobody_there_is_one_sentence_and_code_3(demo_clip: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, errors = await ended(
        await command(f"http://127.0.0.1:{port}", "--source", str(demo_clip))
    )
    assert code == 3
    assert "nobody listens" in errors
    assert "Traceback" not in errors


async def interrupted(
    receiver: TestReceiver, clip: Path, report: Path, how: signal.Signals
) -> tuple[int, str]:
    process = await command(receiver.url, "--source", str(clip), "--loop", "--report", str(report))
    await receiver.handler.enough.wait()
    process.send_signal(how)
    return await ended(process)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals for a process")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_says_goodbye(demo_clip: Path, tmp_path: Path, how: signal.Signals) -> None:
    handler = Recorder(face_model=FaceModel.load().fingerprint)
    report = tmp_path / "call.json"
    async with receiving(handler) as receiver:
        code, errors = await interrupted(receiver, demo_clip, report, how)
        assert await receiver.calls[0].wait_closed() == "the caller left"
    assert code == 0, errors
    assert "Traceback" not in errors
    assert json.loads(await asyncio.to_thread(report.read_text))["frames_sent"] > 0
