"""The Typer application and the one place where errors become exit codes."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from facematch import __version__
from facematch.cli import (
    calibrate,
    cluster,
    detect,
    embed,
    enroll,
    evaluate,
    export,
    gallery,
    identify,
    models,
    train,
    verify,
)
from facematch.cli.foreign import escaped
from facematch.errors import FacematchError, OutputError

INTERRUPTED, INTERNAL = 130, 70
DEBUG = "FACEMATCH_DEBUG"


class _ErrorBoundary(TyperGroup):
    """Prints what went wrong as one line and exits with its code.

    An exit code of 1 means "not the same person", so nothing else may end with it.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a full disk shows itself here, not when Python exits
            return result
        except FacematchError as error:
            _end(str(error), error.exit_code)
        except KeyboardInterrupt:
            _end("interrupted", INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone (`| head`).
            _drop_output()
            raise typer.Exit(0) from None
        except OSError as error:
            _drop_output()
            where = "the output" if error.filename is None else str(error.filename)
            _end(f"{where}: {error.strerror or error}", OutputError.exit_code)
        except (TyperException, typer.Abort, typer.Exit):
            raise  # usage errors and ends that Typer knows
        except Exception as error:  # the last resort: a bug, and never exit code 1
            if os.environ.get(DEBUG):
                raise
            _end(
                f"this is a bug in facematch: {type(error).__name__}: {error} "
                f"(set {DEBUG}=1 for the traceback)",
                INTERNAL,
            )


def _end(message: str, code: int) -> NoReturn:
    print(f"facematch: {escaped(message)}", file=sys.stderr)
    raise typer.Exit(code)


def _drop_output() -> None:
    """Points stdout away, or Python complains again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=_ErrorBoundary,
    help="Face verification and identification, with thresholds from your own data.",
    epilog=(
        "Exit codes: 0 success or match, 1 non-match, 2 usage, 3 input, 4 gallery, 5 model, "
        "6 calibration, 7 configuration, 8 output, 9 training, 10 worse than the baseline, "
        "70 a bug, 130 interrupted."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes "[default: 5]" for markup and swallows it
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
app.command()(export.export)
app.command()(detect.detect)
app.command()(detect.align)
app.command()(embed.embed)
app.command()(cluster.cluster)
app.add_typer(gallery.app, name="gallery")
app.add_typer(models.app, name="models")


def main() -> None:
    """Entry point of the ``facematch`` command."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as paths on the command line are read
    for stream in (sys.stdout, sys.stderr):
        # Paths need not be UTF-8: print what cannot be encoded as an escape, do not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="facematch")
