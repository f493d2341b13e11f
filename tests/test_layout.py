"""Rules of the tree that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"shared", "sender", "receiver", "models", "benchmarks"}
MAY_IMPORT = {
    "shared": set[str](),
    "sender": {"shared"},
    "receiver": {"shared", "models.engine"},
    "models": {"shared"},
    "benchmarks": OURS,
}
MAX_LINES = 600
SOURCES = sorted(
    path.relative_to(ROOT) for folder in OURS | {"tests"} for path in (ROOT / folder).rglob("*.py")
)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def is_within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(allowed + ".")


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_imports_point_one_way(folder: str) -> None:
    wrong = []
    for path in SOURCES:
        if path.parts[0] != folder:
            continue
        for name in imported(path):
            ours = name.split(".")[0] in OURS
            allowed = MAY_IMPORT[folder] | {folder}
            if ours and not any(is_within(name, one) for one in allowed):
                wrong.append(f"{path} imports {name}")
    assert not wrong


@pytest.mark.parametrize("running", [["shared", "sender"], ["shared", "receiver", "models.engine"]])
def test_the_running_call_never_imports_torch(running: list[str]) -> None:
    modules = [
        ".".join(path.with_suffix("").parts)
        for path in SOURCES
        if path.name != "__init__.py"
        and any(is_within(".".join(path.with_suffix("").parts), one) for one in running)
    ]
    check = f"import {', '.join(modules)}, sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or "torch was imported"


def test_files_can_be_read_in_one_sitting() -> None:
    lengths = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_nothing_prints() -> None:
    printing = []
    for path in SOURCES:
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id == "print":
                printing.append(f"{path}:{called.lineno}")
    assert printing == []
