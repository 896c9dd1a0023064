"""Options that several commands share, and what they mean."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facematch.choices import Device, FaceChoice, Metric, Search
from facematch.cli.foreign import escaped
from facematch.errors import OutputError, UsageError

if TYPE_CHECKING:
    from facematch.imaging.paths import FoundPhotographs

# Of every path here and in the commands: readable=False, which only means that Typer does not
# check it, for which it would exit with 2. A file that cannot be read has its own error.
DEFAULT_GALLERY = Path("faces.h5")


def _with_quiet_library(quiet: bool) -> bool:
    """What the library logs for a person to know is a note as well."""
    if quiet:
        logging.getLogger("facematch").setLevel(logging.WARNING)
    return quiet


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Quiet = Annotated[
    bool,
    typer.Option(
        *("--quiet", "-q"),
        help="No progress and no notes on stderr; errors stay.",
        callback=_with_quiet_library,
    ),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
Model = Annotated[
    str, typer.Option("--model", help="Model name, or the folder of a bundle.", metavar="NAME")
]
Images = Annotated[
    Path | None,
    typer.Option("--images", help="Folder of the photographs.", metavar="DIR", readable=False),
]
Impostors = Annotated[
    str,
    typer.Option(
        "--impostors",
        help="Of a folder of subjects: how many impostor pairs to draw, or all. More than 20 "
        "million pairs are counted, not held, and cannot be used with --compare.",
        metavar="N|all",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of everything that is drawn at random.")]
AllowSelfPairs = Annotated[
    bool,
    typer.Option("--allow-self-pairs", help="Allow pairs of a picture with itself or its copy."),
]
NoCache = Annotated[
    bool,
    typer.Option("--no-cache", help="Embed every photograph anew, and keep no template."),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Page to write, with everything in one file.",
        metavar="HTML",
        readable=False,
    ),
]
Plots = Annotated[
    Path | None,
    typer.Option(
        "--plots", help="Folder for each plot as PNG and SVG.", metavar="DIR", readable=False
    ),
]
NoPhotos = Annotated[
    bool, typer.Option("--no-photos", help="Leave the faces of the worst errors out of --report.")
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        help="Column to compare error rates by; may be repeated "
        "[default: the column group, if there is one].",
        metavar="COLUMN",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse faces below the quality thresholds.")
]
GalleryOption = Annotated[
    Path, typer.Option("--gallery", "-g", help="The gallery file.", metavar="FILE", readable=False)
]
Wait = Annotated[
    float,
    typer.Option("--wait", help="Seconds to wait for another writer.", metavar="S", min=0),
]
Photographs = Annotated[
    list[str], typer.Argument(help="Photographs or folders; - reads paths from stdin.")
]
Face = Annotated[FaceChoice, typer.Option("--face", help="Which face of a photograph is used.")]
SearchOption = Annotated[
    Search,
    typer.Option(
        "--search",
        help="How far faces are looked for: fast ends where no smaller face could be chosen or "
        "all would be tiny beside one that was found; full finds every face from 20 pixels on.",
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        help="Take the threshold from this file [default: ./calibration.json if it exists, "
        "else the model's own].",
        metavar="FILE",
        readable=False,
    ),
]
Threshold = Annotated[
    float | None, typer.Option("--threshold", help="Accept distances up to this number.")
]
MetricOption = Annotated[
    Metric | None, typer.Option("--metric", help="Distance, with --threshold.")
]
MinFace = Annotated[
    int, typer.Option("--min-face", help="Smallest face to look for, in pixels.", min=12)
]


def note(message: str, quiet: bool) -> None:
    """Says something to the person at the terminal, on stderr."""
    if not quiet:
        print(escaped(message), file=sys.stderr)


def given_paths(arguments: Sequence[str]) -> list[Path]:
    """The arguments as paths, with ``-`` replaced by the lines of stdin.

    Raises:
        UsageError: stdin gave no path.
    """
    paths: list[Path] = []
    for argument in arguments:
        if argument == "-":
            if sys.stdin is None:
                raise UsageError("- reads paths from stdin, which is closed")
            paths += [Path(line.rstrip("\r\n")) for line in sys.stdin if line.strip()]
        else:
            paths.append(Path(argument))
    if not paths:
        raise UsageError("no paths on stdin")
    return paths


def photographs_of(paths: Sequence[Path]) -> FoundPhotographs:
    """The photographs that paths stand for, beside those that cannot be found.

    Raises:
        InputError: there is not one.
    """
    from facematch.imaging.paths import gather_photographs, nothing_found

    found = gather_photographs(paths)
    if not found.paths:
        raise nothing_found(paths, found.failures)
    return found


def require_folder_of(path: Path) -> None:
    """Finds out before the work, not after it, that its result has no place.

    Raises:
        OutputError: the folder of the file to write does not exist or cannot be written.
    """
    if not path.parent.is_dir():
        raise OutputError(f"{path}: cannot be written, there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(
            f"{path}: cannot be written, the folder {path.parent} is not yours to write in"
        )


def one_face(choice: FaceChoice, command: str) -> FaceChoice:
    """Refuses ``--face all`` where one face has to stand for the photograph.

    Raises:
        UsageError: it was asked for.
    """
    if choice is FaceChoice.ALL:
        raise UsageError(
            f"{command} uses one face of a photograph: --face all cannot be used, only "
            "largest, center, best and only"
        )
    return choice


def impostor_count(text: str) -> int | None:
    """The number that ``--impostors`` asks for; None for all.

    Raises:
        UsageError: it is no number of at least 1.
    """
    if text.strip().lower() == "all":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 12 and int(text) > 0):
        raise UsageError(f"--impostors takes a number of at least 1, or all, got {text[:40]!r}")
    return int(text)
