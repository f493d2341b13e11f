"""Attempts side by side: the first success counts."""

from __future__ import annotations

import asyncio

import pytest

from shared.race import race


class Attempts:
    """Attempts that end as told, and are counted."""

    def __init__(self, *fates: object) -> None:
        self.fates = list(fates)
        self.begun = self.cancelled = self.running = self.most = 0
        self.open = asyncio.Event()

    async def __call__(self) -> object:
        fate = self.fates[min(self.begun, len(self.fates) - 1)]
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if fate == "hangs":
                await asyncio.Event().wait()
            if isinstance(fate, Exception):
                raise fate
            return fate
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


def only_timeouts(error: BaseException) -> bool:
    return isinstance(error, TimeoutError)


async def run(attempts: Attempts, at_most: int = 4) -> object:
    async with asyncio.timeout(30):
        return await race(attempts, lambda: 0.02, at_most, only_timeouts)


async def test_a_first_success_needs_no_second() -> None:
    attempts = Attempts("won")
    assert await run(attempts) == "won"
    assert attempts.begun == 1


async def test_a_later_attempt_wins_over_one_that_hangs_which_is_cancelled() -> None:
    attempts = Attempts("hangs", "hangs", "won")
    assert await run(attempts) == "won"
    await asyncio.sleep(0)
    assert (attempts.begun, attempts.cancelled, attempts.running) == (3, 2, 0)


async def test_the_oldest_gives_way_when_there_are_too_many() -> None:
    attempts = Attempts(*["hangs"] * 9, "won")
    assert await run(attempts, at_most=3) == "won"
    # One more for the turn of the loop in which it is being cancelled.
    assert attempts.most <= 4


async def test_failures_with_hope_are_tried_again_and_at_the_same_pace() -> None:
    attempts = Attempts(TimeoutError(), TimeoutError(), "won")
    start = asyncio.get_running_loop().time()
    assert await run(attempts) == "won"
    assert asyncio.get_running_loop().time() - start >= 0.035


async def test_a_failure_without_hope_ends_the_race() -> None:
    attempts = Attempts("hangs", ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await run(attempts)
    await asyncio.sleep(0)
    assert attempts.running == 0


async def test_who_cancels_the_race_cancels_every_attempt() -> None:
    attempts = Attempts("hangs")
    task = asyncio.create_task(run(attempts))
    while attempts.begun < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert attempts.running == 0
