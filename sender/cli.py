"""The ``sender`` command."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from sender.figures import check_report_path, write_report
from shared.config import settings
from shared.errors import BadInputError, HeadCallError
from shared.latency import Latency

_HELP = """
Call a receiver: film a face and send it as 35 numbers a frame, about 11 kbps with all headers.

The receiver rebuilds the picture from one photograph, which is sent once at the start: the first
frame that looks into the camera, or --ref.

\b
Examples:
  sender http://localhost:8080 --source 0            the first camera
  sender http://localhost:8080 --source clip.mp4     a video file, in real time
  sender http://localhost:8080 --source 0 --ref me.jpg
  sender http://localhost:8080 --source clip.mp4 --report call.json

\b
On the other side, first:
  receiver

Ctrl-C ends the call. Defaults can also be set by environment variables: HEADCALL_MAX_FPS=15,
HEADCALL_CONNECT_TIMEOUT_S=30.

\b
Exit codes: 0 fine, 2 something given was bad (the message says what), 3 the receiver was not
reached, or was lost.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_DEFAULTS = settings()


@app.command(help=_HELP)
def send(
    url: Annotated[
        str,
        typer.Argument(
            help="Where the receiver listens, such as http://localhost:8080, or the whole link it "
            "printed."
        ),
    ],
    source: Annotated[
        str,
        typer.Option(help="Number of a camera, or path of a video file.", metavar="CAMERA|FILE"),
    ] = "0",
    ref: Annotated[
        Path | None,
        typer.Option(
            help="Photograph to send (JPEG, PNG or WebP, one face) in place of the first frame, "
            "best from the front with open eyes and visible teeth.",
            metavar="PICTURE",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="End the call after this long.", min=0.1)
    ] = None,
    max_fps: Annotated[
        float, typer.Option(help="Most frames a second.", min=1, max=60)
    ] = _DEFAULTS.max_fps,
    loop: Annotated[bool, typer.Option("--loop", help="Play a file again and again.")] = False,
    sound: Annotated[
        bool,
        typer.Option(
            "--sound",
            help="Send sound too, the microphone's or the file's: 21 kbps more on the wire while "
            "somebody speaks.",
        ),
    ] = False,
    latency: Annotated[
        Latency,
        typer.Option(
            help="How long frames wait for one another to share packets, which saves bits: low "
            "not at all, normal up to 80 ms, economy up to 250 ms (and a third as fine)."
        ),
    ] = _DEFAULTS.latency,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write the call's figures (frames, rates, crop, times) to FILE.json.",
            metavar="FILE",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds that joining the call may take.", min=0.1)
    ] = _DEFAULTS.connect_timeout_s,
    ca: Annotated[
        Path | None,
        typer.Option(help="Trust certificates signed by this authority too (PEM).", metavar="FILE"),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, for finding faults.")
    ] = False,
) -> None:
    """Parse the command line and call."""
    console = Console(stderr=True)
    _set_up_logging(console, verbose)
    # Imported here so that --help and a mistyped option answer at once.
    from sender.pipeline import Options
    from shared.signalling import CallAddress

    try:
        CallAddress.parse(url)
        if report is not None:
            check_report_path(report)
        asyncio.run(
            _call(
                Options(url, source, ref, seconds, max_fps, loop, timeout, latency, ca, sound),
                console,
                report,
            )
        )
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo("sender: call ended", err=True)
    except HeadCallError as error:
        typer.echo(f"sender: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


def main() -> None:
    """Run the command."""
    app(prog_name="sender")


async def _call(options: object, console: Console, report: Path | None) -> None:
    from sender.pipeline import Options, Pipeline
    from sender.status import StatusLine
    from shared.face_model import FaceModelError
    from shared.threads import one_blas_thread

    one_blas_thread()
    assert isinstance(options, Options)
    task = asyncio.current_task()
    assert task is not None
    # Windows has no SIGTERM for a loop; Ctrl-C is asyncio.run's own business everywhere.
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        with StatusLine(console) as status:
            pipeline = Pipeline(options, status)
            try:
                await pipeline.run()
            finally:
                outcome = pipeline.outcome
                if report is not None:
                    write_report(report, outcome.figures.report(outcome.stats))
    except FaceModelError as error:
        raise BadInputError(str(error)) from error
    if outcome.reason:
        figures = outcome.figures
        kbps = outcome.stats.wire_kbps if outcome.stats else 0.0
        typer.echo(
            f"Call ended ({outcome.reason}): {figures.frames_sent} frames at "
            f"{figures.sender_fps:.1f} a second, {kbps:.1f} kbps on the wire",
            err=True,
        )


def _set_up_logging(console: Console, verbose: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=verbose, show_time=verbose)],
    )
    logging.getLogger("sender").setLevel(logging.DEBUG if verbose else logging.INFO)
    # aiortc and aioice tell of every packet at DEBUG.
    for name in ("aiortc", "aioice", "libav", "PIL", "asyncio", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
