"""What the ``receiver`` command takes; its defaults are read when this is imported."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from receiver.config import MOST_CALLS, receiver_settings
from shared.errors import BadInputError, HeadCallError

if TYPE_CHECKING:
    from receiver.links import Links
    from receiver.server import Tls

_EXAMPLES = """
Answer video calls that send a face as 35 numbers a frame.

The picture of the caller is rebuilt here from one photograph and shown on a web page.

\b
Examples:
  receiver                          take the caller's own photograph, watch in a browser
  receiver --ref me.jpg             use this photograph; callers then send none
  receiver --once --out call.mp4    take one call, write it to a file, end
  receiver --calls 4                take four calls at once, at http://localhost:8080/1 to /4

\b
Then, on the caller's side:
  sender http://localhost:8080 --source 0

Every picture carries a strip that says it is synthesised. Defaults can also be set by
environment variables: HEADCALL_PORT=9000, HEADCALL_PRESET=lite, and so on.

\b
Exit codes: 0 fine, 2 something given was bad (the message says what), 3 the other side was not
reached.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_DEFAULTS = receiver_settings()


@app.command(help=_EXAMPLES)
def receive(
    ref: Annotated[
        Path | None,
        typer.Option(
            help="Photograph of the caller (JPEG, PNG or WebP, one face), best from the front with "
            "open eyes and visible teeth. Without it the caller sends one.",
            metavar="PICTURE",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; 0.0.0.0 lets others reach this machine, and then calling "
            "and watching need the links that are printed."
        ),
    ] = _DEFAULTS.host,
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes any free one.", min=0, max=65535)
    ] = _DEFAULTS.port,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the call to a video: FILE.mp4 for players, FILE.mkv lossless. An older "
            "file of that name is replaced; later calls get -2, -3… in the name, and with --calls "
            "every room its own: -room1, -room2….",
            metavar="FILE",
        ),
    ] = None,
    window: Annotated[
        bool, typer.Option("--window", help="Show the picture in a window too; closing it ends.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write the call's figures (rate, latency, loss, every frame) to FILE.json; names "
            "as of --out.",
            metavar="FILE",
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="Generator preset to run.")] = _DEFAULTS.preset,
    engine: Annotated[
        str,
        typer.Option(
            help="What runs it: tensorrt, tensorrt-rtx, onnxruntime, openvino or torch; auto takes "
            "the fastest that works here."
        ),
    ] = _DEFAULTS.engine,
    tls_cert: Annotated[
        Path | None,
        typer.Option(help="Serve HTTPS with this certificate (PEM).", metavar="FILE"),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(help="Private key of the certificate (PEM).", metavar="FILE"),
    ] = None,
    calls: Annotated[
        int,
        typer.Option(
            help="Calls to take at once. More than 1 have a room each, with a page of its own "
            "under /1, /2…, and share one generator.",
            min=1,
            max=MOST_CALLS,
        ),
    ] = _DEFAULTS.calls,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="End when the first call ends; with --calls, once no other is on either.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, for finding faults.")
    ] = False,
) -> None:
    """Parse the command line and serve."""
    _set_up_logging(verbose)
    # Imported here so that --help and a mistyped option answer at once.
    from receiver.serve import Options, run
    from shared.threads import one_blas_thread

    one_blas_thread()
    try:
        tls = _tls(tls_cert, tls_key)
        options = Options(host, port, preset, engine, ref, out, report, window, once, tls, calls)
        run(options, lambda links: _tell(links, ref))
    except HeadCallError as error:
        typer.echo(f"receiver: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    from receiver.server import Tls

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadInputError("--tls-cert and --tls-key go together; give both")
    return Tls(certificate, key)


def _tell(links: Links, ref: Path | None) -> None:
    if links.room:  # one of several; the list of all is told of last
        typer.echo(f"Room {links.room}: watch at {links.watch}")
        typer.echo(f"Call with: sender {links.call}")
        return
    photograph = f"the photograph {ref}" if ref else "the caller's own photograph"
    what = "Watch" if links.call else "All rooms"
    typer.echo(f"{what} at {links.watch} (showing {photograph}; Ctrl-C ends)")
    if links.call:
        typer.echo(f"Call with: sender {links.call}")
    if links.protected:
        typer.echo("Whoever has a link gets in: send each only to the one it is for.")
        if links.watch.startswith("http:"):
            typer.echo(
                "Without --tls-cert and --tls-key the network between can read the links.", err=True
            )


def _set_up_logging(verbose: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s" if verbose else "%(message)s",
    )
    # aiortc and aioice tell of every packet at DEBUG and of every candidate at INFO.
    for name in ("aiortc", "aioice", "libav", "PIL", "uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
