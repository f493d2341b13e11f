"""Background tasks that are never lost: a reference is kept, and how each one ended is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from shared.errors import HeadCallError

log = logging.getLogger(__name__)

T = TypeVar("T")

# asyncio keeps only weak references to tasks; without this one a task may vanish half-way.
_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start a coroutine on the running loop and log its end.

    Args:
        coro: what to run.
        name: what the log calls it.

    Returns:
        The task; awaiting it is optional.
    """
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        log.debug("task %s was cancelled", task.get_name())
    elif isinstance(error := task.exception(), HeadCallError):
        # Meant for a person: whoever awaits the task tells it.
        log.debug("task %s ended: %s", task.get_name(), error)
    elif error is not None:
        log.error("task %s failed: %s", task.get_name(), error, exc_info=error)
    else:
        log.debug("task %s ended", task.get_name())
