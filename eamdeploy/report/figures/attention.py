"""How much each layer's mixing weights move from image to image: where they do not, a static kernel would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eamdeploy.report.model import Figure
from eamdeploy.report.svg import INK, MUTED, SERIES, draw_figure
from eamdeploy.report.words import shorten

_KERNELS = 6


def attention_figure(name: str, title: str, rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Range and mean of each kernel's weight over images, a row a layer; ``None`` without statistics."""
    shown = [row for row in rows if _numbers(row.get("mean")) and row.get("layer")]
    if not shown:
        return None
    height = 1.3 + 0.24 * len(shown)
    kernels = max(len(_numbers(row["mean"])) for row in shown)

    def draw(canvas: Any, narrow: bool) -> None:
        axes = canvas.add_subplot()
        for position, row in enumerate(shown):
            _row(axes, row, position)
        axes.set_yticks(
            range(len(shown)), [shorten(str(row["layer"]), 24 if narrow else 44) for row in shown], fontsize=8
        )
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("weight of each kernel: mean (dot), range over images (line)")
        axes.axvline(1 / kernels, color=MUTED, lw=1, ls=(0, (2, 3)), zorder=1)
        axes.margins(y=0.02)
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=SERIES[index], marker="o", ms=4, label=f"kernel {index + 1}")
            for index in range(min(kernels, _KERNELS))
        ]
        canvas.legend(handles=handles, loc="outside upper left", ncols=2 if narrow else len(handles))

    moving = max(shown, key=lambda row: float(row.get("movement") or 0.0))
    still = min(shown, key=lambda row: float(row.get("movement") or 0.0))
    described = (
        f"Mixing weights of {len(shown)} dynamic layers of {title}. They move most in {moving['layer']} "
        f"({float(moving.get('movement') or 0.0):.3g}) and least in {still['layer']} "
        f"({float(still.get('movement') or 0.0):.3g}); 2 is the most there can be."
    )
    caption = f"{title}: how the mixing weights vary over images. Dotted: all kernels alike."
    return draw_figure(name, caption, described, draw, wide=height, narrow=height + 0.4)


def _row(axes: Any, row: Mapping[str, Any], position: int) -> None:
    mean = _numbers(row.get("mean"))
    spread = _numbers(row.get("std")) or [0.0] * len(mean)
    low = _numbers(row.get("low")) or [m - s for m, s in zip(mean, spread, strict=False)]
    high = _numbers(row.get("high")) or [m + s for m, s in zip(mean, spread, strict=False)]
    count = min(len(mean), len(low), len(high), _KERNELS)
    for kernel in range(count):
        height = position + (kernel - (count - 1) / 2) * 0.7 / count
        axes.plot([low[kernel], high[kernel]], [height, height], color=SERIES[kernel], lw=1.4, solid_capstyle="round")
        axes.plot([mean[kernel]], [height], marker="o", ms=2.8, color=SERIES[kernel], zorder=3)


def _numbers(value: Any) -> list[float]:
    try:
        return [float(item) for item in value]
    except (TypeError, ValueError):
        return []
