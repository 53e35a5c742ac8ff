"""The table and the plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {
    ("onnx", "fp32"): "#1b6ca8",
    ("onnx", "int8"): "#7db7dd",
    ("tflite", "fp32"): "#b04a12",
    ("tflite", "int8"): "#eda26f",
}
MARKERS = "os^Dvp*X"  # by variant, in the table's order


def write_table(rows: Sequence[Mapping[str, Any]], path: Path, conditions: str) -> None:
    """One line per artifact."""
    head = "| network | variant | format | precision | top-1 % | drop | file kB | of exact | ms (p10) | of static | instructions |"
    lines = [conditions, "", head, "|" + "---|" * 11]
    for row in rows:
        columns_shown = [
            row["network"],
            row["variant"],
            row["format"],
            row["precision"],
            _number(row["top1"], ".2f"),
            _number(row["drop_points"], "+.2f"),
            f"{row['bytes'] / 1e3:.0f}",
            _number(row["size_of_exact"], ".2f"),
            f"{row['p10_ms']:.3f}",
            f"{row['of_static']:.2f}",
            _number(row["instructions"], ".3g"),
        ]
        lines.append("| " + " | ".join(columns_shown) + " |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Top-1 against latency over the static twin's, one panel per network, one line per format and precision."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    rated_rows = [row for row in rows if row["top1"] is not None]  # the twin's weights are random
    networks = list(dict.fromkeys(row["network"] for row in rated_rows))
    markers = dict(zip(dict.fromkeys(row["variant"] for row in rated_rows), MARKERS, strict=False))
    figure, axes = plt.subplots(1, len(networks), figsize=(5.0 * len(networks), 4.6), squeeze=False)
    for axis, network in zip(axes[0], networks, strict=True):
        for key, colour in COLOURS.items():
            series = [row for row in rated_rows if (row["network"], row["format"], row["precision"]) == (network, *key)]
            axis.plot([row["of_static"] for row in series], [row["top1"] for row in series], color=colour, linewidth=1)
            for row in series:
                axis.plot(
                    row["of_static"], row["top1"], markers[row["variant"]], color=colour, markersize=6, alpha=0.85
                )
        axis.axvline(1, color="grey", linewidth=0.8, linestyle=":")
        axis.set_xscale("log")
        ticks = [ratio for ratio in (1, 1.2, 1.5, 2, 3, 4, 6, 8, 10) if ratio <= 1.2 * axis.get_xlim()[1]]
        axis.set_xticks(ticks, [f"{ratio:g}" for ratio in ticks])
        axis.minorticks_off()
        axis.set(title=network, xlabel="latency over the static twin's, same precision", ylabel="top-1 %")
        axis.grid(visible=True, alpha=0.2)
    lines = [Line2D([], [], color=colour, label=" ".join(key)) for key, colour in COLOURS.items()]
    points = [
        Line2D([], [], marker=marker, color="dimgrey", linestyle="", label=name) for name, marker in markers.items()
    ]
    figure.legend(handles=[*lines, *points], loc="lower center", ncol=len(COLOURS), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.savefig(path)
    plt.close(figure)
