"""The errors a person can mend: each carries a sentence and the command's exit code."""

from __future__ import annotations

BAD_INPUT = 2
UNREACHABLE = 3


class HeadCallError(Exception):
    """A failure that is explained to the user in one sentence, never with a traceback."""

    exit_code = BAD_INPUT


class BadInputError(HeadCallError):
    """What the user gave cannot be used; the message says what is wrong and what to do."""

    exit_code = BAD_INPUT


class UnreachableError(HeadCallError):
    """The other side was not reached or refused the call; the message says which and why."""

    exit_code = UNREACHABLE
