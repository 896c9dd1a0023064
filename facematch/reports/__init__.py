"""Reports: plots of error rates, and pages that hold everything and ask for nothing."""

from facematch.reports.distributions import scores_plot
from facematch.reports.drawing import LIGHT, PLOT_NAMES, Palette, Plot, picture
from facematch.reports.errorcurves import MarkedRate, Trace, det_plot, roc_plot
from facematch.reports.html import is_report, render
from facematch.reports.page import (
    Block,
    Code,
    Fact,
    Facts,
    Figures,
    Notice,
    Page,
    Paragraph,
    Photo,
    PhotoPair,
    PhotoPairs,
    Section,
    Table,
    Texts,
)
from facematch.reports.photos import small_jpeg
from facematch.reports.probabilities import reliability_plot
from facematch.reports.searches import SearchTrace, cmc_plot, open_set_plot

__all__ = [
    "Block",
    "Code",
    "Fact",
    "Facts",
    "Figures",
    "LIGHT",
    "MarkedRate",
    "Notice",
    "PLOT_NAMES",
    "Page",
    "Palette",
    "Paragraph",
    "Photo",
    "PhotoPair",
    "PhotoPairs",
    "Plot",
    "SearchTrace",
    "Section",
    "Table",
    "Texts",
    "Trace",
    "cmc_plot",
    "det_plot",
    "is_report",
    "open_set_plot",
    "picture",
    "reliability_plot",
    "render",
    "roc_plot",
    "scores_plot",
    "small_jpeg",
]
