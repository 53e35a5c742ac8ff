"""Where the time of an inference goes, layer by layer: convolution, mixing of kernels, attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eamdeploy.runs.report.content.layer_parts import PARTS, LayerCost, by_block
from eamdeploy.runs.report.content.words import figure, shorten
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import INK, SERIES, draw_figure

_COLOURS = dict(zip(PARTS, (SERIES[0], SERIES[1], SERIES[2], SERIES[3], SERIES[5]), strict=True))
_MOST = 20


def layers_figure(name: str, title: str, costs: Sequence[LayerCost]) -> Figure | None:
    """Stacked bars in order of execution, by block where there are many layers."""
    if not costs or not any(cost.total_ms for cost in costs):
        return None
    rows = by_block(costs) if len(costs) > _MOST else list(costs)
    used = [part for part in PARTS if any(row.parts[part] for row in rows)]
    totals = {part: sum(row.parts[part] for row in rows) for part in used}
    whole = sum(totals.values())
    height = 1.2 + 0.19 * len(rows)

    def draw(canvas: Any, narrow: bool) -> None:
        axes = canvas.add_subplot()
        left = [0.0] * len(rows)
        for part in used:
            widths = [row.parts[part] for row in rows]
            axes.barh(range(len(rows)), widths, left=left, height=0.72, color=_COLOURS[part], label=part)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.set_yticks(range(len(rows)), [shorten(row.layer, 24 if narrow else 44) for row in rows], fontsize=8)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("ms of one inference, profiled")
        axes.margins(y=0.01)
        handles, labels = axes.get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper left", ncols=2 if narrow else len(used))

    shares = ", ".join(f"{part} {totals[part] / whole:.0%}" for part in used)
    described = f"Stacked bars of {len(rows)} {'blocks' if len(rows) != len(costs) else 'layers'} of {title}: {shares}."
    slowest = max(rows, key=lambda row: row.total_ms)
    caption = f"{title}: {shares} of {figure(whole)} ms; the most in {slowest.layer}. A profiled inference is slower."
    return draw_figure(name, caption, described, draw, wide=height, narrow=height + 0.3)
