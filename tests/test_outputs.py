"""Names of files: every call of every room its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.config import MOST_CALLS
from receiver.outputs import in_room, numbered


def test_the_only_room_adds_nothing() -> None:
    assert in_room(Path("a/call.mp4"), 0) == Path("a/call.mp4")


def test_a_room_is_in_the_name() -> None:
    assert in_room(Path("a/call.mp4"), 2) == Path("a/call-room2.mp4")
    assert numbered(in_room(Path("a/call.mp4"), 2), 3) == Path("a/call-room2-3.mp4")


@pytest.mark.parametrize("name", ["call.mp4", "call-room1.mp4", "call-room1-2.mp4", "1.mkv"])
def test_no_two_rooms_ever_write_the_same_file(name: str) -> None:
    rooms, calls = range(1, MOST_CALLS + 1), range(1, 200)
    names = [numbered(in_room(Path(name), room), call) for room in rooms for call in calls]
    assert len(set(names)) == len(names)
