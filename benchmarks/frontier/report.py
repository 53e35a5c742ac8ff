"""The table and the plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {"onnx": "#1b6ca8", "tflite": "#c0571f"}


def write_table(rows: Sequence[Mapping[str, Any]], path: Path, conditions: str) -> None:
    """One line per artifact."""
    head = "| network | variant | format | precision | top-1 % | drop | file kB | of exact | ms (p10) | of static | instructions |"
    lines = [conditions, "", head, "|" + "---|" * 11]
    for row in rows:
        shown = [
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
        lines.append("| " + " | ".join(shown) + " |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Points of accuracy lost against latency over the static twin's, one panel per network."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure, axes = plt.subplots(1, len(networks), figsize=(5.5 * len(networks), 4.2), squeeze=False)
    for axis, network in zip(axes[0], networks, strict=True):
        for kind, colour in COLOURS.items():
            for precision, marker in (("fp32", "o"), ("int8", "^")):
                own = [
                    row for row in rows
                    if (row["network"], row["format"], row["precision"]) == (network, kind, precision)
                    and row["drop_points"] is not None
                ]  # fmt: skip
                if not own:
                    continue
                label = f"{kind} {precision}"
                axis.plot(
                    [r["of_static"] for r in own], [r["drop_points"] for r in own], marker, color=colour, label=label
                )
                for row in own:
                    axis.annotate(row["variant"], (row["of_static"], row["drop_points"]), fontsize=7, xytext=(3, 3),
                                  textcoords="offset points")  # fmt: skip
        axis.axvline(1, color="grey", linewidth=0.8, linestyle=":")
        axis.set(title=network, xlabel="latency over the static twin's (same precision)", ylabel="points of top-1 lost")
        axis.invert_yaxis()
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
