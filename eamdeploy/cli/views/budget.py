"""How a spent budget is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from eamdeploy.cli.views.output import make_table


def render_budget(report: Mapping[str, Any], console: Console) -> None:
    """Draw :func:`eamdeploy.pipeline.budget.budget_report`."""
    title = f"budget of {report['points']:g} points, for the least {report['minimize']}"
    table = make_table("layer", "becomes", ">saving", ">divergence?", ">moves??", ">rank??", title=title)
    for layer in report["layers"]:
        choice = layer["choice"]
        form = " ".join(str(choice[name]) for name in ("kind", "rank", "storage") if choice.get(name) is not None)
        table.add_row(
            layer["layer"],
            form,
            f"{100 * layer['saving']:.0f} %" if layer["saving"] else "",
            f"{layer['divergence_nats']:.1e}" if layer["divergence_nats"] else "",
            f"{layer['movement']:.4f}",
            f"{layer['effective_rank']:.1f}",
        )
    console.print(table)
    frontier = make_table(
        f">{report['minimize']}", ">exact", ">low-rank", ">mean-res.", ">collapsed", ">calibration", ">validation",
        title="frontier: estimated cost, layers by form, points of top-1 lost as measured (and as expected)",
    )  # fmt: skip
    for point in report["frontier"]:
        frontier.add_row(
            f"{100 * point['cost']:.0f} %",
            *(str(point[name]) for name in ("exact", "low_rank", "mean_residual", "collapsed")),
            _drop(point["calibration"]),
            "" if point["validation"] is None else _drop(point["validation"]),
        )
    console.print(frontier)
    for name in ("calibration", "validation"):
        part = report[name]
        console.print(
            f"  {name}: {part['top1_exact']:.2f} -> {part['top1']:.2f} % top-1 on {part['images']} images of {part['data']} "
            f"({part['lost']} lost, {part['gained']} gained; the drop is known to ±{part['error95_points']:.2f} points)",
            style="dim", soft_wrap=True,
        )  # fmt: skip
    if report["finetuned"]:
        part = report["finetuned"]["validation"]
        console.print(
            f"  fine-tuned: {part['top1']:.2f} % on the validation images, {part['drop_points']:+.2f} points lost"
        )
    if report.get("warning"):
        console.print(f"warning: {report['warning']}", style="yellow", soft_wrap=True)
    console.print(report["sentence"], style="bold", soft_wrap=True)
    dynamic = sum(layer["choice"]["kind"] != "collapse" for layer in report["layers"])
    if dynamic and not report["finetuned"]:
        console.print(
            f"  {dynamic} of {len(report['layers'])} layers still depend on the image; --finetune EPOCHS first tries to train "
            "a network without any back within the budget",
            style="dim", soft_wrap=True,
        )  # fmt: skip


def _drop(change: Mapping[str, Any]) -> str:
    return f"{change['drop_points']:+.2f} ({change['expected_points']:.2f})"
