"""The rows as Markdown: each network's accuracy, and the differences that the paper's claim is about."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median, stdev

from benchmarks.accuracy.scale.paired import paired
from benchmarks.accuracy.scale.rows import Row
from benchmarks.accuracy.variants import VARIANTS

CLAIMS = (
    ("eam rcr", "dynet"),
    ("eam rcr", "static"),
    ("dynet", "static"),
    ("eam rcr, tau 30 to 1", "static"),
    ("eam rcr, tau 30 to 1", "eam rcr"),
    ("eam cgr-max", "eam rcr"),
)


def tables(rows: Sequence[Row]) -> str:
    """Two tables, under a line that says on what and how."""
    groups: dict[tuple[float, str], list[Row]] = {}
    names = [variant.name for variant in VARIANTS]
    for row in sorted(rows, key=lambda row: (row.width, names.index(row.variant), row.seed)):
        groups.setdefault((row.width, row.variant), []).append(row)
    lines = [_caption(rows), "", *_accuracies(groups)]
    if differences := _differences(groups):
        lines += ["", *differences]
    return "\n".join(lines) + "\n"


def _caption(rows: Sequence[Row]) -> str:
    copies, devices, how = (sorted({getattr(row, name) for row in rows}) for name in ("copy", "device", "how"))
    epochs = sorted({row.epochs for row in rows})
    return (
        f"{' and '.join(copies)}; MobileNetV1, recipe `paper-cifar` scaled to {', '.join(map(str, epochs))} epochs; "
        f"{' and '.join(devices)}, {' and '.join(how)}."
    )


def _accuracies(groups: dict[tuple[float, str], list[Row]]) -> list[str]:
    lines = [
        "| network | parameters (M) | seeds | top-1 %, mean | standard deviation | by seed | movement, median layer |"
    ]
    lines.append("|---" * 7 + "|")
    for (width, variant), group_rows in groups.items():
        scores = [row.top1 for row in group_rows]
        movements = [value for row in group_rows for value in row.movement.values()]
        cells = [
            f"x{width:g} {variant}",
            f"{group_rows[0].parameters / 1e6:.3f}",
            str(len(group_rows)),
            f"{mean(scores):.2f}",
            f"{stdev(scores):.2f}" if len(scores) > 1 else "–",
            ", ".join(f"{score:.2f}" for score in scores),
            f"{median(movements):.4f}" if movements else "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _differences(groups: dict[tuple[float, str], list[Row]]) -> list[str]:
    lines = []
    for width in sorted({width for width, _ in groups}):
        for ours, other in CLAIMS:
            pairs = paired(groups.get((width, other), ()), groups.get((width, ours), ()))
            if pairs is None:
                continue
            if pairs.seeds95 is None:
                seeds, verdict = "–", "one seed: not judged"
            else:
                seeds = f"{pairs.seeds95[0]:+.2f} to {pairs.seeds95[1]:+.2f}"
                verdict = "a difference" if pairs.differs else "no difference shown"
            cells = [
                f"x{width:g} {ours} – {other}",
                f"{pairs.mean:+.2f}",
                ", ".join(f"{value:+.2f}" for value in pairs.by_seed),
                seeds,
                f"{pairs.images95[0]:+.2f} to {pairs.images95[1]:+.2f}" if pairs.images95 else "–",
                verdict,
            ]
            lines.append("| " + " | ".join(cells) + " |")
    if not lines:
        return []
    head = "| difference, points | mean | by seed | 95 % over seeds | 95 % over images | over seeds |"
    return [head, "|---" * 6 + "|", *lines]
