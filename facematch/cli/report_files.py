"""``--report`` and ``--plots``: what is written, and where."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facematch.cli import options
from facematch.cli.foreign import escaped
from facematch.cli.report_parts import SHOWN_PAIRS
from facematch.errors import OutputError

if TYPE_CHECKING:
    from facematch.calibration import WrongPair
    from facematch.pipeline import TemplateSource
    from facematch.reports import Page

_FORMATS = ("png", "svg")


def require_report_places(report: Path | None, plots: Path | None, *others: Path | None) -> None:
    """Finds out before the work whether there is room for its results.

    Args:
        report: page to write.
        plots: folder for plots.
        others: files that the command writes as well.

    Raises:
        OutputError: there is none, or something that no report may replace.
    """
    from facematch.calibration.plot import is_plot
    from facematch.overwriting import require_replaceable
    from facematch.reports import PLOT_NAMES, is_report

    if report is not None:
        options.require_folder_of(report)
        if os.path.realpath(report) in {os.path.realpath(o) for o in others if o is not None}:
            raise OutputError(f"{report}: is named for two results; give each its own name")
        require_replaceable(report, "a report", is_report)
    if plots is not None:
        options.require_folder_of(plots)
        if plots.exists() and not plots.is_dir():
            raise OutputError(f"{plots}: is no folder; --plots writes several files into one")
        for name in PLOT_NAMES:
            for file_format in _FORMATS:
                require_replaceable(plots / f"{name}.{file_format}", "a plot", is_plot)


def write(page: Callable[[], Page], report: Path | None, plots: Path | None) -> list[Path]:
    """Makes the page if one of the two is wanted, and says what was written.

    Raises:
        OutputError: a file cannot be written.
    """
    if report is None and plots is None:
        return []
    from facematch.calibration.files import write_atomically
    from facematch.reports import picture, render

    made, written = page(), []
    if report is not None:
        write_atomically(report, render(made))
        written.append(report)
    if plots is not None:
        try:
            plots.mkdir(exist_ok=True)
        except OSError as exc:
            raise OutputError(f"{plots}: cannot be made ({exc.strerror or exc})") from exc
        for plot in made.plots:
            for file_format in _FORMATS:
                path = plots / f"{plot.name}.{file_format}"
                write_atomically(path, picture(plot, file_format))
        written.append(plots)
    return written


def say_written(written: Sequence[Path]) -> None:
    """The last line of the text."""
    if written:
        print(f"\nwrote {' and '.join(escaped(path) for path in written)}")


def faces(
    templates: TemplateSource | None, worst: Sequence[WrongPair], *, wanted: bool
) -> Mapping[str, bytes]:
    """Small pictures of the faces in the worst pairs, by path; of those that have one."""
    paths = [
        path
        for same in (True, False)
        for pair in [pair for pair in worst if pair.same is same][:SHOWN_PAIRS]
        for path in (pair.a, pair.b)
        if path is not None
    ]
    return faces_of(templates, paths, wanted=wanted)


def faces_of(
    templates: TemplateSource | None, paths: Sequence[str], *, wanted: bool
) -> Mapping[str, bytes]:
    """The same of photographs."""
    if templates is None or not wanted:
        return {}
    from facematch.reports import small_jpeg

    distinct = list(dict.fromkeys(paths))
    crops = templates.crops([Path(path) for path in distinct])
    return {
        path: small_jpeg(crop)
        for path, crop in zip(distinct, crops, strict=True)
        if crop is not None
    }
