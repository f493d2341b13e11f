"""The store of built engines: an engine comes back only if nothing about it changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.engine.store import Built, Recipe, Store, default_folder

RECIPE = Recipe("tensorrt-rtx", "1.7.1", "NVIDIA RTX 4090 sm89", "a" * 64, 1, "fp16")
BUILT = Built(b"encoder", b"generator", None)


def test_an_engine_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "folder")
    assert store.load(RECIPE) is None
    store.save(RECIPE, BUILT)
    assert store.load(RECIPE) == BUILT
    store.save(RECIPE, replace(BUILT, agreement_db=61.5))
    assert store.load(RECIPE) == replace(BUILT, agreement_db=61.5)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.7.2"},
        {"gpu": "NVIDIA RTX 3090 sm86"},
        {"weights": "b" * 64},
        {"batch": 4},
        {"options": "fp32"},
        {"engine": "tensorrt"},
    ],
)
def test_another_recipe_is_another_engine(tmp_path: Path, change: dict[str, object]) -> None:
    store = Store(tmp_path)
    store.save(RECIPE, BUILT)
    assert store.load(replace(RECIPE, **change)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("part", [".encoder", ".generator", ".json"])
def test_a_damaged_engine_is_refused(tmp_path: Path, part: str) -> None:
    store = Store(tmp_path)
    store.save(RECIPE, BUILT)
    path = store.path(RECIPE).with_suffix(part)
    path.write_bytes(path.read_bytes()[:-1])
    assert store.load(RECIPE) is None


def test_the_engine_of_another_recipe_under_this_name_is_refused(tmp_path: Path) -> None:
    store, other = Store(tmp_path), replace(RECIPE, version="9")
    store.save(other, BUILT)
    for path in tmp_path.iterdir():
        path.rename(store.path(RECIPE).with_suffix(path.suffix))
    assert store.load(RECIPE) is None


def test_swapped_parts_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(RECIPE, BUILT)
    base = store.path(RECIPE)
    base.with_suffix(".encoder").write_bytes(b"encoderg")
    base.with_suffix(".generator").write_bytes(b"enerator")
    assert store.load(RECIPE) is None


def test_what_is_dropped_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(RECIPE, BUILT)
    store.drop(RECIPE)
    store.drop(RECIPE)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "headcall" / "engines"
