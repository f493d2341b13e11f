"""The ``receiver`` command."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from shared.errors import BAD_INPUT


def main() -> None:
    """Run the command."""
    try:
        from receiver.command import app
    except ValidationError as error:  # the help shows the defaults, so they come first
        sys.exit(_complain(error))
    app(prog_name="receiver")


def _complain(error: ValidationError) -> int:
    for item in error.errors():
        name = "HEADCALL_" + "_".join(map(str, item["loc"])).upper()
        sys.stderr.write(f"receiver: the environment variable {name}: {item['msg']}\n")
    return BAD_INPUT


if __name__ == "__main__":
    main()
