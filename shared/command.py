"""Running a tool's `main` as a command: options by typer, errors as sentences."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from rich.console import Console

from shared.errors import HeadCallError
from shared.threads import one_blas_thread


def run_command(main: Callable[..., None]) -> None:
    """Run a command's main function; a mistake of the user's ends in a sentence and a code."""
    one_blas_thread()
    try:
        typer.run(main)
    except HeadCallError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_code)
