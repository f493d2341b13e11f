"""The ``receiver`` command as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import httpx
import pytest

from shared.params import Frame
from shared.signalling import CallAddress
from shared.transport import CallSender
from tests.driving import Drive, track
from tests.receiving import photograph

COMMAND = [sys.executable, "-m", "receiver.cli"]
ENVIRONMENT = {**os.environ, "PYTHONWARNINGS": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}


def receive(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
        check=False,
    )


@pytest.fixture(scope="module")
def drive(demo_clip: Path) -> Drive:
    return track(demo_clip, 25)


@contextlib.asynccontextmanager
async def receiver(*arguments: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running receiver and its address."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        "--port",
        "0",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 40)
        found = re.search(r"http://\S+", line.decode())
        assert found, line
        yield process, found[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def send_all(caller: CallSender, drive: Drive) -> None:
    for sequence, params in enumerate(drive.params):
        caller.send_frame(Frame(sequence, int(caller.clock.now_ms()), params))
        await asyncio.sleep(0.05)


def picture_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [round(item.pts * item.time_base * 1000) for item in container.decode(video=0)]


async def test_one_call_to_a_file_and_a_report(drive: Drive, tmp_path: Path) -> None:
    out, report = tmp_path / "call.mkv", tmp_path / "figures.json"
    async with receiver("--once", "--out", out, "--report", report) as (process, url):
        caller = await CallSender.connect(url, timeout=30, face_model=drive.face_model)
        assert caller.wants_reference
        await caller.send_reference(drive.photograph, "image/jpeg")
        await caller.send_calibration(drive.origin)
        await send_all(caller, drive)
        await caller.close("the clip is over")
        assert await asyncio.wait_for(process.wait(), 30) == 0
    figures = json.loads(report.read_text())
    rows = figures["frames"]
    assert figures["frames_shown"] == len(rows) > 5
    first = rows[0]["captured_ms"]
    assert picture_times(out) == [row["captured_ms"] - first for row in rows]
    assert figures["latency_ms"]["p50"] > 0
    assert all(row["late_ms"] > 0 for row in rows)
    assert 0 < figures["payload_kbps"] < figures["wire_kbps"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_file_is_whole_after_ctrl_c(
    drive: Drive, tmp_path: Path, number: signal.Signals
) -> None:
    ref, out = tmp_path / "me.jpg", tmp_path / "call.mp4"
    ref.write_bytes(drive.photograph)
    async with receiver("--ref", ref, "--out", out) as (process, url):
        caller = await CallSender.connect(url, timeout=30, face_model=drive.face_model)
        assert not caller.wants_reference
        await caller.send_calibration(drive.origin)
        await send_all(caller, drive)
        process.send_signal(number)
        assert await asyncio.wait_for(caller.wait_closed(), 30) == "the receiver was stopped"
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert process.stderr is not None
        said = " ".join((await process.stderr.read()).decode().split())
        assert "Traceback" not in said
        assert "an eye is closed" in said  # in the photograph she looks down
        await caller.close("done")
    times = picture_times(out)
    assert len(times) > 5
    assert times == sorted(set(times))


async def test_beyond_localhost_it_prints_links_and_lets_nobody_in_without() -> None:
    async with receiver("--host", "0.0.0.0") as (process, watch):
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        call = line.removeprefix("Call with: sender ").strip()
        address, caller = CallAddress.parse(watch), CallAddress.parse(call)
        assert address.base == caller.base
        assert address.token != caller.token
        stats = address.base.copy_with(path="/stats")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(stats)).status_code == 401
            ticket = {"authorization": f"Bearer {address.token}"}
            assert (await http.get(stats, headers=ticket)).status_code == 200


async def test_with_several_calls_every_room_has_links_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "HEADCALL_CALLS", "2")
    async with receiver("--host", "0.0.0.0") as (process, watch):
        assert process.stdout is not None
        lines = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(4)]
        assert "/1/#token=" in watch
        assert lines[0].startswith("Call with: sender http://")
        assert lines[1].startswith("Room 2: watch at http://")
        assert lines[3].startswith("All rooms at http://")
        links = [CallAddress.parse(watch)]
        links += [CallAddress.parse(found) for found in re.findall(r"http://\S+", "".join(lines))]
        assert [link.base.path for link in links] == ["/1", "/1", "/2", "/2", "/"]
        assert len({link.token for link in links}) == len(links)
        ticket = {"authorization": f"Bearer {links[-1].token}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            answers = [
                await http.get(links[-1].base.copy_with(path=path), headers=ticket)
                for path in ("/rooms", "/1/stats", "/2/stats")
            ]
        assert [answer.status_code for answer in answers] == [200, 401, 401]


def test_help_teaches() -> None:
    done = receive("--help")
    assert done.returncode == 0
    for text in (
        "--ref",
        "--out",
        "--once",
        "--calls",
        "Exit codes",
        "sender http://localhost:8080",
        "[default",
    ):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ref", "missing.jpg"], "missing.jpg is not a file"),
        (["--ref", "notes.txt"], "notes.txt: this is not a JPEG, PNG or WebP picture"),
        (["--ref", "grey.jpg"], "grey.jpg: there is no face"),
        (["--out", "nowhere/x.mp4"], "does not exist; create it first"),
        (["--out", "x.avi"], "must end in .mkv or .mp4"),
        (["--report", "x.txt"], "must end in .json"),
        (["--window"], "--window needs a display"),
        (["--window", "--calls", "2"], "--window shows one call; leave it out with --calls"),
        (["--calls", "17"], "16"),
        (["--calls", "2", "--out", "x.mp4", "--report", "nowhere/x.json"], "create it first"),
        (["--preset", "huge"], "no weights for the preset 'huge'"),
        (["--engine", "steam"], "no engine 'steam'"),
        (["--port", "TAKEN"], "is in use"),
        (["--port", "99999"], "65535"),
        (["--tls-cert", "notes.txt"], "--tls-cert and --tls-key go together"),
        (["--tls-cert", "no.pem", "--tls-key", "notes.txt"], "--tls-cert: there is no file no.pem"),
        (["--tls-cert", "notes.txt", "--tls-key", "no.pem"], "--tls-key: there is no file no.pem"),
        (["--tls-cert", "notes.txt", "--tls-key", "notes.txt"], "not a PEM certificate"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "grey.jpg").write_bytes(photograph())
    before = sorted(tmp_path.iterdir())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = receive(*[port if item == "TAKEN" else item for item in arguments])
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_bad_environment_variable_is_named() -> None:
    done = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        timeout=60,
        env={**ENVIRONMENT, "HEADCALL_PORT": "many"},
        check=False,
    )
    assert done.returncode == 2
    assert "HEADCALL_PORT" in done.stderr
    assert "Traceback" not in done.stderr
