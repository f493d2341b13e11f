"""MediaPipe starts without a word, and in one place."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.solutions import quiet_start

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "start",
    [
        "from shared.person import PersonFinder as Made",
        "from shared.tracker import Tracker as Made",
    ],
    ids=["person", "tracker"],
)
def test_starting_writes_nothing_to_the_terminal(start: str) -> None:
    script = f"{start}\nwith Made(): pass"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_written_after_a_start_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with quiet_start():
        os.write(2, b"during ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_a_start_that_fails_gives_the_terminal_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), quiet_start():
        raise RuntimeError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_no_other_file_imports_mediapipe() -> None:
    importing = set()
    for folder in ("shared", "sender", "receiver", "models", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                if any(name.split(".")[0] == "mediapipe" for name in names):
                    importing.add(path.relative_to(ROOT).as_posix())
    assert importing == {"shared/solutions.py"}
