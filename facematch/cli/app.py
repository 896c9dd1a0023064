"""The Typer application and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from facematch import __version__
from facematch.cli.commands import LazyGroup
from facematch.cli.foreign import escaped
from facematch.errors import FacematchError, OutputError

INTERRUPTED, INTERNAL = 130, 70
DEBUG = "FACEMATCH_DEBUG"


class _ErrorBoundary(LazyGroup):
    """Prints what went wrong as one line and exits with its code.

    An exit code of 1 means "not the same person", so nothing else may end with it.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(*args, **kwargs)
        except TyperException as error:
            _end_with_usage(error, None)

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                if sys.stdout is not None:  # a full disk shows itself here, not at the exit
                    sys.stdout.flush()
        except FacematchError as error:
            _end(str(error), error.exit_code)
        except KeyboardInterrupt as stop:
            _end(str(stop) or "interrupted", INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone (`| head`).
            _drop_output()
            raise typer.Exit(0) from None
        except OSError as error:
            _drop_output()
            where = "the output" if error.filename is None else str(error.filename)
            _end(f"{where}: {error.strerror or error}", OutputError.exit_code)
        except TyperException as error:
            _end_with_usage(error, ctx.invoked_subcommand)
        except (typer.Abort, typer.Exit):
            raise
        except Exception as error:  # the last resort: a bug, and never exit code 1
            if os.environ.get(DEBUG):
                raise
            _end(
                f"this is a bug in facematch: {type(error).__name__}: {error} "
                f"(set {DEBUG}=1 for the traceback)",
                INTERNAL,
            )


def _end_with_usage(error: TyperException, command: str | None) -> NoReturn:
    """Typer would print four lines; those of a group without arguments are its help."""
    message = error.format_message()
    if "\n" in message:
        raise error
    where = "facematch" if command is None else f"facematch {command}"
    _end(f"{message.rstrip('.')}; see {where} -h", error.exit_code)


def _end(message: str, code: int) -> NoReturn:
    print(f"facematch: {escaped(message)}", file=sys.stderr)
    raise typer.Exit(code)


def _drop_output() -> None:
    """Points stdout away, or Python complains again when it flushes at exit."""
    if sys.stdout is not None:
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
    logging.getLogger("facematch").setLevel(logging.INFO)  # --quiet takes that back
    # Pillow tells of odd tags in pictures; what matters of them becomes an error of ours.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def main() -> None:
    """Entry point of the ``facematch`` command."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as paths on the command line are read
    for stream in (sys.stdout, sys.stderr):
        # Paths need not be UTF-8: print what cannot be encoded as an escape, do not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="facematch")
    finally:
        gc.freeze()  # the process ends: nothing is left to collect, and looking takes a while
