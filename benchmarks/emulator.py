"""A link between two network namespaces on this machine, with delays, losses and cuts.

`benchmarks.relay` is the link; this starts and ends it, and runs commands at its two ends. Needs
root, or the rights of one in a user namespace (`unshare --user --map-root-user COMMAND`).
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from benchmarks.child import ChildFailedError
from benchmarks.profiles import Profile
from benchmarks.relay import BEGIN, CLONE_NEWNET, Ready, Traffic, run
from shared.errors import BadInputError

_NEEDED = ("ip", "nsenter", "setpriv")
_START_S = 60.0
_STOP_S = 10.0

T = TypeVar("T")


class EmulatedLink:
    """A link as long as its `with` block; nothing of it is left afterwards.

    Attributes:
        at_sender: what to put before a command so that it runs at the sender's end, and ends when
            this process does.
        at_receiver: the same for the receiver's end.
    """

    def __init__(self, profile: Profile, seed: int = 1) -> None:
        """Make the link.

        Args:
            profile: how it behaves.
            seed: of everything that is left to chance.

        Raises:
            BadInputError: this machine or this user's rights do not allow it.
        """
        if missing := [tool for tool in _NEEDED if shutil.which(tool) is None]:
            raise BadInputError(
                f"no link can be emulated without {', '.join(missing)}; install iproute2 and "
                "util-linux"
            )
        # Spawned, not forked: the parent may have threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(target=run, args=(profile, seed, far_end), daemon=True)
        self._process.start()
        far_end.close()
        try:
            ready = self._pipe.recv() if self._pipe.poll(_START_S) else "the relay did not start"
        except EOFError:
            ready = "the relay of the emulated link ended at once"
        if not isinstance(ready, Ready):
            self.close()
            raise BadInputError(
                f"{ready}; run this as root, or with `unshare --user --map-root-user` before it"
            )
        self.at_sender = self._entering(ready.sender_namespace)
        self.at_receiver = self._entering(ready.receiver_namespace)
        self._watcher = ThreadPoolExecutor(
            1, "receiver's end", _enter, (self._path(ready.receiver_namespace),)
        )

    def begin(self) -> None:
        """Say that the call begins now: the profile's cuts and spells count from here."""
        self._pipe.send(BEGIN)

    def ask_receiver(self, job: Callable[[], T]) -> T:
        """Run a job of this process inside the receiver's namespace; returns what it returns."""
        return self._watcher.submit(job).result()

    def traffic(self) -> Traffic:
        """End the link and return everything that entered it.

        Raises:
            ChildFailedError: the relay has failed.
        """
        try:
            self._pipe.send("end")
            traffic: Traffic = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise ChildFailedError("The relay of the emulated link failed.", 1) from error
        return traffic

    def close(self) -> None:
        """End the link; both namespaces go with it."""
        self._pipe.close()
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watcher.shutdown()
        self.close()

    def _path(self, namespace: int) -> str:
        return f"/proc/{self._process.pid}/fd/{namespace}"

    def _entering(self, namespace: int) -> list[str]:
        return ["nsenter", f"--net={self._path(namespace)}", "setpriv", "--pdeathsig", "TERM"]


def _enter(namespace: str) -> None:
    """Move this thread, and no other, into a network namespace."""
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
