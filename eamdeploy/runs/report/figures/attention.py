"""How much each layer's mixing weights move from image to image: where they do not, a static kernel would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eamdeploy.runs.report.content.words import shorten
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import INK, MUTED, SERIES, draw_figure

# of the two panels: keys of the mean and of the most over the images, factor, label, and a place worth a line
_PANELS = (
    ("movement", "movement_max", 1.0, "alpha moves by (2 at most)", 2.0),
    ("distance", "distance_max", 100.0, "kernel from its mean, %", 2.0),
)
# nothing moves less than single precision can say, and a logarithmic axis has no zero
_FLOOR = 1e-6


def attention_figure(name: str, title: str, rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Mean and greatest movement of alpha and of the kernel it mixes, a row a layer; ``None`` without statistics."""
    rows_shown = [row for row in rows if row.get("layer") and all(_pair(row, *panel[:3]) for panel in _PANELS)]
    if not rows_shown:
        return None
    height = 1.2 + 0.2 * len(rows_shown)

    def draw(canvas: Any, narrow: bool) -> None:
        from matplotlib.ticker import FuncFormatter, NullFormatter

        panels = canvas.subplots(2, 1) if narrow else canvas.subplots(1, 2, sharey=True)
        for number, (axes, panel) in enumerate(zip(panels, _PANELS, strict=True)):
            mean, most, factor, label, line = panel
            for position, row in enumerate(rows_shown):
                low, high = _pair(row, mean, most, factor) or (_FLOOR, _FLOOR)
                axes.plot([low, high], [position, position], color=SERIES[number], lw=1.6, solid_capstyle="round")
                axes.plot([low], [position], marker="o", ms=4, color=SERIES[number], zorder=3)
            axes.axvline(line, color=MUTED, lw=1, ls=(0, (2, 3)), zorder=1)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(label)
            axes.set_ylim(len(rows_shown) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.grid(visible=False, axis="y")
            if narrow or number == 0:
                labels = [shorten(str(row["layer"]), 24 if narrow else 40) for row in rows_shown]
                axes.set_yticks(range(len(rows_shown)), labels, fontsize=8)

    moving = max(rows_shown, key=lambda row: float(row["movement"]))
    still = min(rows_shown, key=lambda row: float(row["movement"]))
    described = (
        f"Mixing weights of {len(rows_shown)} dynamic layers of {title}. They move most in {moving['layer']} "
        f"({float(moving['movement']):.3g}) and least in {still['layer']} "
        f"({float(still['movement']):.3g}); 2 is the most there can be."
    )
    caption = (
        f"{title}. Dot: mean over images; line: up to the most on any. Dotted: 2, the most that alpha can move, and 2 %, "
        "below which a kernel is as good as static."
    )
    return draw_figure(name, caption, described, draw, wide=height, narrow=2 * height)


def _pair(row: Mapping[str, Any], mean: str, most: str, factor: float) -> tuple[float, float] | None:
    values = [row.get(key) for key in (mean, most)]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None
    low, high = (max(_FLOOR, factor * float(value)) for value in values if value is not None)
    return low, high
