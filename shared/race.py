"""Trying the same thing several times side by side, until one succeeds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.tasks import spawn

T = TypeVar("T")


async def race(
    attempt: Callable[[], Awaitable[T]],
    pause_s: Callable[[], float],
    at_most: int,
    may_retry: Callable[[BaseException], bool],
) -> T:
    """Return the first success; every other attempt is cancelled.

    A lost packet holds an attempt up for seconds, and doubles the wait with each further one:
    another that begins meanwhile, with luck of its own, is often done sooner.

    Args:
        attempt: makes one attempt; has to clean up when it is cancelled.
        pause_s: seconds until the next one begins beside those that run; asked before each pause.
        at_most: attempts at the same time; the oldest is cancelled for a new one.
        may_retry: whether a failure leaves hope for another attempt.

    Raises:
        Exception: whatever an attempt raised that leaves no hope.
    """
    running: list[asyncio.Task[T]] = []
    try:
        while True:
            if len(running) >= at_most:
                running.pop(0).cancel()
            running.append(spawn(_awaited(attempt), "an attempt"))
            deadline = asyncio.get_running_loop().time() + pause_s()
            while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
                if not running:
                    await asyncio.sleep(left_s)
                    break
                done, _ = await asyncio.wait(
                    running, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
                )
                running = [task for task in running if task not in done]
                for task in done:
                    if (error := task.exception()) is None:
                        return task.result()
                    if not may_retry(error):
                        raise error
    finally:
        for task in running:
            task.cancel()


async def _awaited(attempt: Callable[[], Awaitable[T]]) -> T:
    return await attempt()
