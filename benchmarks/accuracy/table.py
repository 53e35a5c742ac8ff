"""The tables: accuracy beside the paper's claim, and how much attention moves per layer."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median
from typing import Any

# Ding et al. 2021, CIFAR-10, MobileNetV1 x1.0, 200 epochs, 4 channels (their static network: see the paper's tables)
PAPER = {"dynet": "93.99", "eam rcr": "93.61"}


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown; ``rows`` as ``variants.run`` returns them."""
    names = list(dict.fromkeys(row["variant"] for row in rows))
    lines = [
        "| network | parameters (M) | top-1 %, mean | by seed | spread | movement, median layer | paper, V1 x1.0, 200 epochs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        variant_rows = [row for row in rows if row["variant"] == name]
        scores = [row["top1"] for row in variant_rows]
        movements = [layer["movement"] for row in variant_rows for layer in row["layers"]]
        cells = [
            name,
            f"{variant_rows[0]['parameters'] / 1e6:.3f}",
            f"{mean(scores):.2f}",
            ", ".join(f"{score:.2f}" for score in scores),
            f"{max(scores) - min(scores):.2f}" if len(scores) > 1 else "–",
            f"{median(movements):.4f}" if movements else "–",
            PAPER.get(name, "–"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_movement(rows, names)]) + "\n"


def _movement(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Mean over the seeds of each layer's movement, ``mean_x sum_i |alpha_i - mean alpha_i|`` (2 is the most)."""
    dynamic = [name for name in names if any(row["layers"] for row in rows if row["variant"] == name)]
    if not dynamic:
        return []
    table: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for layer in row["layers"]:
            table.setdefault(layer["layer"], {}).setdefault(row["variant"], []).append(layer["movement"])
    lines = ["| layer | " + " | ".join(dynamic) + " |", "|---" * (len(dynamic) + 1) + "|"]
    for layer, movement in table.items():
        cells = [f"{mean(movement[name]):.4f}" if name in movement else "–" for name in dynamic]
        lines.append(f"| {layer} | " + " | ".join(cells) + " |")
    return lines
