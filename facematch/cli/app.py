"""The Typer application and the one place where errors become exit codes."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from facematch import __version__
from facematch.cli import (
    calibrate,
    detect,
    embed,
    enroll,
    evaluate,
    gallery,
    identify,
    models,
    train,
    verify,
)
from facematch.errors import FacematchError

INTERRUPTED = 130


class _ErrorBoundary(TyperGroup):
    """Prints a :class:`FacematchError` as one line and exits with its code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FacematchError as error:
            print(f"facematch: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            print("facematch: interrupted", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of our output has gone (`| head`). Point stdout away, or Python
            # complains again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


app = typer.Typer(
    cls=_ErrorBoundary,
    help="Face verification and identification, with thresholds from your own data.",
    epilog=(
        "Exit codes: 0 success or match, 1 non-match, 2 usage, 3 input, 4 gallery, 5 model, "
        "6 calibration, 7 configuration, 8 output, 9 training, 10 worse than the baseline, "
        "130 interrupted."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"facematch {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    logging.basicConfig(format="facematch: %(message)s", level=logging.WARNING)
    # Pillow tells of odd tags in pictures; what matters of them becomes an error of ours.
    warnings.filterwarnings("ignore", module=r"PIL\.")


app.command()(enroll.enroll)
app.command()(verify.verify)
app.command()(identify.identify)
app.command()(calibrate.calibrate)
app.command()(evaluate.evaluate)
app.command()(train.train)
app.command()(detect.detect)
app.command()(detect.align)
app.command()(embed.embed)
app.add_typer(gallery.app, name="gallery")
app.add_typer(models.app, name="models")


def main() -> None:
    """Entry point of the ``facematch`` command."""
    for stream in (sys.stdout, sys.stderr):
        # Paths need not be UTF-8: print what cannot be encoded as an escape, do not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="facematch")
