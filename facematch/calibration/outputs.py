"""Whether a calibration and its plot can be written where a person says, before the work."""

from __future__ import annotations

import os
from pathlib import Path

from facematch.calibration.plot import is_plot, plot_format
from facematch.calibration.store import is_calibration
from facematch.errors import OutputError
from facematch.overwriting import require_replaceable


def require_places(calibration: Path, plot: Path) -> None:
    """Refuses places where one file would replace the other, or something else.

    Raises:
        OutputError: they are one file, a file of another kind is there, or the plot's name
            has another suffix than .png and .svg.
    """
    plot_format(plot)
    if os.path.realpath(calibration) == os.path.realpath(plot):
        raise OutputError(
            f"{calibration}: would be replaced by its own plot; choose another name with -o, "
            "as calibration.json, or another place for the plot with --plot"
        )
    require_replaceable(calibration, "a calibration", is_calibration)
    require_replaceable(plot, "a plot", is_plot)
