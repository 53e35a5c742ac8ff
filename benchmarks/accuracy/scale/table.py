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
    for (width, variant), own in groups.items():
        scores = [row.top1 for row in own]
        movements = [value for row in own for value in row.movement.values()]
        cells = [
            f"x{width:g} {variant}",
            f"{own[0].parameters / 1e6:.3f}",
            str(len(own)),
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
            found = paired(groups.get((width, other), ()), groups.get((width, ours), ()))
            if found is None:
                continue
            if found.seeds95 is None:
                seeds, verdict = "–", "one seed: not judged"
            else:
                seeds = f"{found.seeds95[0]:+.2f} to {found.seeds95[1]:+.2f}"
                verdict = "a difference" if found.shown else "no difference shown"
            cells = [
                f"x{width:g} {ours} – {other}",
                f"{found.mean:+.2f}",
                ", ".join(f"{value:+.2f}" for value in found.by_seed),
                seeds,
                f"{found.images95[0]:+.2f} to {found.images95[1]:+.2f}" if found.images95 else "–",
                verdict,
            ]
            lines.append("| " + " | ".join(cells) + " |")
    if not lines:
        return []
    head = "| difference, points | mean | by seed | 95 % over seeds | 95 % over images | over seeds |"
    return [head, "|---" * 6 + "|", *lines]
