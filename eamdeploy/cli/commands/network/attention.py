"""``eamdeploy describe CKPT --attention DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from eamdeploy.cli.views.output import emit, err_console, make_table

if TYPE_CHECKING:
    from eamdeploy.pipeline.attention_report import AttentionReport


def show_attention(checkpoint: str, data: Path, limit: int | None, as_json: bool) -> None:
    """Measure and show how much each layer's attention moves."""
    from eamdeploy.networks.checkpoint import load_checkpoint
    from eamdeploy.pipeline.attention_report import attention_report

    report = attention_report(load_checkpoint(checkpoint), data, limit)
    if report.skipped:
        err_console().print(f"note: {len(report.skipped)} images could not be read, e.g. {report.skipped[0]}")
    emit("attention", report.to_dict(), as_json, lambda console: _render(report, console))


def _render(report: AttentionReport, console: Console) -> None:
    title = f"attention of {report.checkpoint} over {report.images} images of {report.data}"
    table = make_table(
        "layer", ">varies", ">varies max?", ">rank?", ">kernel", ">kernel max??", ">bound??", ">worst??", title=title
    )
    for layer in report.layers:
        table.add_row(
            layer.layer,
            f"{layer.movement:.4f}",
            f"{layer.movement_max:.4f}",
            f"{layer.effective_rank:.1f}",
            _percent(layer.distance),
            _percent(layer.distance_max),
            _percent(layer.bound_max),
            _percent(layer.worst_case),
        )
    console.print(table)
    console.print(
        "varies: sum of |weight - its mean over the images|, mean and largest (at most 2). rank: "
        "number of independent ways in which the weights vary. kernel: distance of the mixed kernel from its mean, relative to "
        "the mean kernel, mean and largest. bound: upper bound of that distance from the weights. worst: the bound for any image.",
        style="dim",
    )
    console.print(report.sentence)


def _percent(part: float) -> str:
    return f"{100 * part:.2f} %" if part < 1 else f"{100 * part:.0f} %"
