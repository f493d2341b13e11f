"""What keeps a call alive: which of its links carries it, when it is silent, when it is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial

from shared.clock import monotonic_ms
from shared.link import Link
from shared.link_config import LinkSettings
from shared.tally import Tally
from shared.tasks import spawn

log = logging.getLogger(__name__)


class Lifeline:
    """The links of one end of one call over time.

    aiortc cannot move a connection to another path. So a call that has fallen silent takes
    whichever comes first: the silent link, if it is heard again, or a new one beside it.

    Attributes:
        closed: done with the reason once the call is over.
        said_bye: whether the other side ended it with a goodbye.
        current: the link that carries the call; None before the first.
        reconnecting: whether the other side is silent at the moment.
    """

    def __init__(
        self,
        settings: LinkSettings,
        tally: Tally,
        on_return: Callable[[], None],
        search: Callable[[], Coroutine[None, None, None]] | None = None,
    ) -> None:
        """Begin a call that has no link yet.

        Args:
            settings: how long a silence is, and how long one lasts that ends the call.
            tally: counts of the call.
            on_return: called when the other side is heard again after a silence.
            search: looks for another link while the current one is silent, and lets it carry
                the call; cancelled when the current one is heard again.
        """
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.said_bye = self.reconnecting = False
        self.current: Link | None = None
        self._settings = settings
        self._tally = tally
        self._on_return = on_return
        self._search = search
        self._links: list[Link] = []
        self._heard_ms = monotonic_ms()
        self._sound = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._ending = False

    def add(self, link: Link) -> None:
        """Take in a link that may come to carry the call; of too many the oldest is closed.

        So is one that does not come to carry it within ``join_s``: when a silent link is heard
        again, the caller gives up the others without telling.
        """
        if self._ending:
            link.end("the call is over")
            return
        waiting = [other for other in self._links if other is not self.current]
        # Twice as many as a caller tries at a time: it gives up its own without telling.
        if len(waiting) >= 2 * self._settings.attempts:
            waiting[0].end("newer connections took its place")
        self._links.append(link)
        link.on_heard = partial(self._link_heard, link)
        link.closed.add_done_callback(partial(self._link_closed, link))
        asyncio.get_running_loop().call_later(self._settings.join_s, self._expire, link)

    def carry(self, link: Link) -> bool:
        """Let a link carry the call from now on; every other one is closed.

        Returns:
            False when that link, or the call, is over already.
        """
        if self._ending or link.is_over():
            return False
        if link is self.current:
            return True
        self.current = link
        for other in self._links:
            if other is not link:
                other.end("another connection carries the call")
        link.start_pings()
        self._link_heard(link)
        if self._watching is None:
            self._watching = spawn(self._watch(), "watching a call")
        return True

    def is_over(self) -> bool:
        """Return whether the call is ending or has ended."""
        return self._ending

    def end(self, reason: str) -> None:
        """End the call without a word to the other side, once; the first reason stands."""
        if not self._ending:
            self._ending = True
            spawn(self._finish(reason), "ending a call")

    async def close(self, reason: str) -> None:
        """Say goodbye and end the call; returns when every link is closed."""
        if not self._ending:
            self._ending = True
            spawn(self._part(reason), "ending a call")
        await asyncio.shield(self.closed)

    async def _part(self, reason: str) -> None:
        # Before a link is in use any of them may be the one that the other side listens on.
        told = [self.current] if self.current is not None else self._links
        await asyncio.gather(*(link.close(reason) for link in told))
        await self._finish(reason)

    async def _finish(self, reason: str) -> None:
        if self._watching is not None:
            self._watching.cancel()
        for link in self._links:
            link.end(reason)
        if self._links:
            await asyncio.wait([link.closed for link in self._links])
        self.reconnecting = False
        log.info("the call ended: %s", reason)
        self.closed.set_result(reason)

    def _expire(self, link: Link) -> None:
        if link is not self.current:
            link.end("it did not come to carry the call in time")

    def _link_heard(self, link: Link) -> None:
        if link is self.current:
            self._heard_ms = monotonic_ms()
            self._sound.set()

    def _link_closed(self, link: Link, closed: asyncio.Future[str]) -> None:
        # That a link is gone says little: the other side may just have chosen another. What
        # counts is whether the call is heard.
        self._links = [other for other in self._links if other is not link]
        if link.final:
            self.said_bye = self.said_bye or link.said_bye
            self.end(closed.result())

    def _silent_s(self) -> float:
        return (monotonic_ms() - self._heard_ms) / 1000

    async def _watch(self) -> None:
        while True:
            left_s = self._settings.silence_s - self._silent_s()
            if left_s > 0:
                await asyncio.sleep(left_s)
                continue
            self.reconnecting = True
            log.warning("nothing heard from the other side for %.1f s", self._silent_s())
            if not await self._until_heard():
                self.end(
                    f"nothing was heard from the other side for {self._settings.give_up_s:.0f} s"
                )
                return
            self.reconnecting = False
            self._tally.reconnects += 1
            log.warning("the other side is heard again")
            self._on_return()

    async def _until_heard(self) -> bool:
        """Wait, and search, until the other side is heard; False when the time is up."""
        self._sound.clear()
        searching = None
        if self._search is not None:
            searching = spawn(self._search(), "reconnecting")
        try:
            async with asyncio.timeout(self._settings.give_up_s - self._silent_s()):
                await self._sound.wait()
        except TimeoutError:
            return False
        finally:
            if searching is not None:
                searching.cancel()
        return True
