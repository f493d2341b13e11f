"""The ends of background tasks are logged."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shared.complaints import QUIET_MS, Complaints
from shared.errors import UnreachableError
from shared.tasks import spawn
from shared.wire_errors import RangeError, VersionError


async def fail(error: Exception) -> None:
    raise error


async def test_a_failing_task_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(fail(RuntimeError("boom")), "the task")
    await asyncio.wait({task})
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "the task" in record.message
    assert "boom" in record.message


async def test_an_error_meant_for_a_person_is_left_to_who_awaits_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = spawn(fail(UnreachableError("nobody there")), "joining")
    with pytest.raises(UnreachableError):
        await task
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_cancelled_task_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(asyncio.Event().wait(), "waiting")
    task.cancel()
    await asyncio.wait({task})
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_complaints_are_counted_all_and_logged_seldom(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    complaints = Complaints("frame packet", lambda: now[0])
    for _ in range(100):
        complaints.add(VersionError("another version"))
    now[0] = QUIET_MS
    complaints.add(RangeError("no face"))
    assert complaints.total == 101
    assert complaints.counts == {"VersionError": 100, "RangeError": 1}
    first, second = [r.message for r in caplog.records]
    assert "another version" in first
    assert "99 more" in second
