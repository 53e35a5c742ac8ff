"""Matplotlib figures as inline SVG that follows the page: its colours (light, dark, print) and its fonts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import MissingDependency
from eamdeploy.runs.report.model import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# stand-ins that are replaced by the page's CSS variables: colours no figure would otherwise use
INK, MUTED, GRID, CARD = "#f0e1d0", "#f0e1d1", "#f0e1d2", "#f0e1d3"
SERIES = ("#f0e1d4", "#f0e1d5", "#f0e1d6", "#f0e1d7", "#f0e1d8", "#f0e1d9")
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    CARD: "--card",
    **{colour: f"--series-{index}" for index, colour in enumerate(SERIES, start=1)},
}
WIDE_INCHES, NARROW_INCHES = 9.6, 4.0

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": INK,
    # a dollar sign in a file name is no formula
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 9,
    "ytick.color": MUTED,
    "ytick.labelsize": 9,
}

# draws on an empty canvas; told whether it is the narrow one
Draw = Callable[["Canvas", bool], None]


def draw_figure(name: str, caption: str, description: str, draw: Draw, *, wide: float, narrow: float) -> Figure:
    """Draw twice, for a wide and a narrow screen.

    Args:
        name: unique in the report.
        draw: called with the canvas and whether it is narrow.
        wide, narrow: heights in inches.

    Raises:
        MissingDependency: without matplotlib.
    """
    drawn = [
        _themed(_draw(draw, size=(WIDE_INCHES, wide), narrow=False), f"{name}-w"),
        _themed(_draw(draw, size=(NARROW_INCHES, narrow), narrow=True), f"{name}-n"),
    ]
    return Figure(name, caption, description, drawn[0], drawn[1])


def _draw(draw: Draw, *, size: tuple[float, float], narrow: bool) -> str:
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingDependency.extra("matplotlib", extra="report") from error
    with matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=size, layout="constrained")
        FigureCanvasSVG(canvas)
        draw(canvas, narrow)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return text.getvalue()


def _themed(svg: str, name: str) -> str:
    """The ``<svg>`` element alone, scaled by its box, in the page's colours and fonts, with ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'(xlink:)?href="#([^"]+)"', rf'href="#{name}-\2"', svg)
    svg = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", svg)
    # two decimals of a point are below anything a screen shows, and halve the file; words, such as 0.001, stay
    svg = re.sub(r'"[^"]*"', lambda match: re.sub(r"(\d+\.\d{2})\d+", r"\1", match[0]), svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
