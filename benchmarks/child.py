"""A child process that never outlives its parent's block, with its output kept in a file.

Where the parent is killed and gets no chance to end it, Linux does.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.clock import monotonic_ms
from shared.errors import HeadCallError

_POLL_S = 0.1
_TERMINATE_S = 5.0
_TAIL_LINES = 15
# PR_SET_PDEATHSIG, SIGKILL: a call that nobody waits for any more would keep a core busy.
_END_WITH_PARENT = "import ctypes; ctypes.CDLL(None).prctl(1, 9); "


class ChildFailedError(HeadCallError):
    """A child process failed; the message ends with the last lines it wrote."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Child:
    """One of our commands in a process of its own; use it as a context manager.

    Attributes:
        started_ms: when it was started, on this machine's monotonic clock.
    """

    def __init__(
        self,
        command: str,
        arguments: list[str],
        log: Path,
        prefix: Sequence[str] = (),
        module: str = "",
    ) -> None:
        """Start the command.

        Args:
            command: what it is called: ``sender``, ``receiver``.
            arguments: its arguments.
            log: file that takes its output and errors.
            prefix: a command that runs what follows it, in the same process.
            module: the module whose ``main`` runs; by default ``cli`` of the package of that name.
        """
        self._name = command
        self._log = log
        module = module or f"{command}.cli"
        entry = f"import sys; sys.argv[0] = {command!r}; from {module} import main; main()"
        entry = _END_WITH_PARENT + entry
        self.started_ms = monotonic_ms()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, "-c", entry, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process: politely, then for good."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_TERMINATE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Make sure that it has not failed.

        Raises:
            ChildFailedError: it ended with an exit code other than 0.
        """
        code = self._process.poll()
        if code not in (None, 0):
            raise self._failed(f"ended with exit code {code}", code or 1)

    def wait(self, timeout_s: float, tick: Callable[[], None] = lambda: None) -> None:
        """Wait until it ends by itself.

        Args:
            timeout_s: seconds it may take.
            tick: called ten times a second meanwhile; what it raises is passed on.

        Raises:
            ChildFailedError: it failed, or takes longer.
        """
        deadline = time.monotonic() + timeout_s
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                raise self._failed(f"did not end within {timeout_s:.0f} s", 1)
            tick()
            time.sleep(_POLL_S)
        self.check()

    def wait_until(
        self, ready: Callable[[], bool], timeout_s: float, tick: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until a condition holds while it runs.

        Args:
            ready: the condition.
            timeout_s: seconds it may take.
            tick: called ten times a second meanwhile; what it raises is passed on.

        Raises:
            ChildFailedError: it ended first, or the condition does not come true.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if self._process.poll() is not None:
                raise self._failed("ended before it was ready", 1)
            if time.monotonic() > deadline:
                raise self._failed(f"was not ready within {timeout_s:.0f} s", 1)
            tick()
            time.sleep(_POLL_S)

    def output(self) -> str:
        """Return what it has written so far."""
        return self._log.read_text("utf-8", errors="replace")

    def _failed(self, what: str, exit_code: int) -> ChildFailedError:
        tail = self.output().strip().splitlines()[-_TAIL_LINES:]
        said = "\n  ".join(["It said:", *tail]) if tail else "It said nothing."
        return ChildFailedError(f"The {self._name} {what}. {said}", max(exit_code, 1))
