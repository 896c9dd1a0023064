"""One drawing, three forms: a PNG file, an SVG file, and SVG that is part of a page.

In a page the drawing follows the reader's choice of light or dark: its colours, which are all
of one palette, become variables of the page's style sheet, and its text is set in the page's
font. The ids that remain are made unique by the plot's name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from html import escape
from typing import Any

PLOT_NAMES = ("roc", "det", "scores", "reliability", "cmc", "open-set")
"""Names of all plots there are, and so of their files."""

_SIZE_IN = (5.4, 4.0)
_DPI = 144


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as #rrggbb, all different. Of Okabe and Ito, told apart by everybody.

    Attributes:
        ink: text.
        muted: axes and lesser text.
        grid: lines behind the curves.
        genuine: comparisons of one subject; the first curve.
        impostor: comparisons of two; the second curve.
        mark: the threshold.
        third: curve.
        fourth: curve.
        fifth: curve.
    """

    ink: str
    muted: str
    grid: str
    genuine: str
    impostor: str
    mark: str
    third: str
    fourth: str
    fifth: str

    @property
    def curves(self) -> tuple[str, ...]:
        """Colours of several curves, in order; longer lists begin anew."""
        return self.genuine, self.impostor, self.third, self.fourth, self.fifth


LIGHT = Palette(
    ink="#1c2128",
    muted="#5b6570",
    grid="#dde2e7",
    genuine="#0072b2",
    impostor="#d55e00",
    mark="#8c1d40",
    third="#009e73",
    fourth="#b0568c",
    fifth="#8a6d00",
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing that has not been made yet.

    Attributes:
        name: of its files, without a suffix; one of ``PLOT_NAMES``.
        title: above it.
        caption: below it: how to read it.
        draw: puts it on matplotlib axes, in the palette's colours.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Any, Palette], None]


def picture(plot: Plot, file_format: str) -> bytes:
    """The plot as a file of its own, on white.

    Args:
        plot: to draw.
        file_format: ``png`` or ``svg``.
    """
    return _drawn(plot, file_format, "white", "path")


def inline_svg(plot: Plot) -> str:
    """The plot as an ``<svg>`` element that asks for nothing outside of it."""
    # Text as text: it is a tenth of the bytes of its outlines, and can be found and copied.
    text = _drawn(plot, "svg", "none", "none").decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>",
        rf'<svg \1 role="img" aria-label="{escape(plot.title)}">',
        text,
        count=1,
    )
    # Versions of matplotlib differ in which of the two they write.
    text = re.sub(r"(font: [^;\"']*?px )[^;\"]*", r"\1system-ui, sans-serif", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = text.replace("xlink:href=", "href=")
    referenced = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))

    def identified(found: re.Match[str]) -> str:
        return f' id="{plot.name}-{found[1]}"' if found[1] in referenced else ""

    text = re.sub(r' id="([^"]*)"', identified, text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{plot.name}-", text)
    for field in fields(LIGHT):
        text = text.replace(getattr(LIGHT, field.name), f"var(--{field.name})")
    return re.sub(r"\n\s*", "\n", text).strip()


def log_percent_axis(axis: Any) -> None:
    """Makes an axis of rates logarithmic, with per cent for a label."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    axis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g} %"))
    axis.set_minor_formatter(NullFormatter())


def _drawn(plot: Plot, file_format: str, background: str, lettering: str) -> bytes:
    # The object interface: pyplot would keep global state and choose a window system. How SVG
    # is written can be told in no other way than by the settings, which are put back.
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": plot.name, "svg.fonttype": lettering}):
        figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained", facecolor=background)
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(facecolor="none")
        _style(axes)
        plot.draw(axes, LIGHT)
        _settle(axes)
        if background != "none":
            axes.set_title(plot.title, fontsize=11, color=LIGHT.ink)
        # Without the date, equal measurements make equal files.
        metadata = {"Date": None} if file_format == "svg" else None
        figure.savefig(buffer, format=file_format, metadata=metadata, facecolor=background)
    return buffer.getvalue()


def _style(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LIGHT.muted)
    axes.tick_params(which="both", colors=LIGHT.muted, labelsize=9)
    axes.grid(visible=True, color=LIGHT.grid, linewidth=0.8)
    axes.set_axisbelow(True)


def _settle(axes: Any) -> None:
    """What only takes effect on things that are there."""
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=LIGHT.ink, fontsize=9.5)
    legend = axes.get_legend()
    if legend is not None:
        legend.set_frame_on(False)
        for text in legend.get_texts():
            text.set(color=LIGHT.ink, fontsize=9)


def line_style(index: int) -> str:
    """The first solid, the others dashed: one that another covers can still be seen."""
    return "-" if index == 0 else "--"
