"""How the results of a bench look: a table, the reasons of each verdict, and what else there is to know."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from eamdeploy.base.chance import chance_warning
from eamdeploy.base.head_metric import METRIC_TITLES
from eamdeploy.base.results import Run
from eamdeploy.cli.views.output import emit, err_console, make_table
from eamdeploy.cli.views.table import FittedTable
from eamdeploy.measurement import BenchReport
from runtimes.registry import chooses_arithmetic

_STATE_STYLE = {"clean": "green", "suspect": "yellow", "invalid": "red"}
_MOST_OPERATORS = 15


def show(report: BenchReport, *, as_json: bool) -> None:
    """Print the report on stdout."""
    emit("bench", report.to_dict(), as_json, lambda console: _render(report, console))
    if as_json:
        return
    for failure in report.failures:
        at = f"{failure.board}, {failure.case}" if failure.case else failure.board
        err_console().print(Text.assemble(("failed", "red"), f" {at}: {failure.error}"), soft_wrap=True)


def _render(report: BenchReport, console: Console) -> None:
    if report.runs:
        console.print(runs_table(report.runs))
        for run in report.runs:
            for reason in run.verdict.reasons:
                style = _STATE_STYLE[run.verdict.state]
                console.print(Text.assemble((run.verdict.state, style), f" {_name(run)}: {reason}"))
            if run.provenance.note:
                console.print(f"{_name(run)}: {run.provenance.note}", soft_wrap=True)
            if run.per_layer:
                console.print(_operators_table(run))
    for run in report.runs:
        if run.accuracy is not None and (warning := chance_warning(run.accuracy)):
            line = Text.assemble(("warning", "yellow"), f" {_name(run)} is at chance level: {warning}")
            console.print(line, soft_wrap=True)
    for note in report.notes:
        console.print(note, soft_wrap=True)
    for check in report.self_checks:
        console.print(
            f"self-check on {check.board}: A against A differs by {check.difference:+.1%} "
            f"(95 % interval {check.ci95[0]:+.1%} to {check.ci95[1]:+.1%}); differences below {check.floor:.1%} "
            f"are noise here; the two intervals {'overlap' if check.agree else 'do NOT overlap'}",
            soft_wrap=True,
        )


def runs_table(runs: Sequence[Run]) -> FittedTable:
    """The table of runs; what nobody has a value for is left out."""
    kinds = {run.provenance.kind for run in runs}
    # an estimate's interval is another one
    interval = (
        "95 % interval" if "estimated" not in kinds else "90 % interval" if kinds == {"estimated"} else "interval"
    )
    rows = [_cells(run, interval) for run in runs]
    # a column that nobody has a value for only takes room
    used = [name for name in rows[0] if any(row[name] for row in rows)]
    table = make_table(*used)
    for row in rows:
        table.add_row(*(row[name] for name in used))
    return table


def _cells(run: Run, interval_head: str) -> dict[str, str | Text]:
    latency, accuracy, style = run.latency_ms, run.accuracy, _STATE_STYLE[run.verdict.state]
    interval = (latency.ci95 or latency.interval90) if latency else None
    estimated = run.provenance.kind == "estimated"
    level = " (90 %)" if estimated and interval_head == "interval" else ""
    return {
        "artifact": _name(run),
        "device?": run.board or run.device,
        "source": run.provenance.kind,
        "runtime??": f"{run.provenance.runtime} {run.provenance.runtime_version}".strip(),
        "arithmetic??": str(run.options.get("arithmetic", "")) if chooses_arithmetic(run.runtime) else "",
        ">threads??": str(run.threads),
        ">p50 ms": ("~" if estimated and latency else "") + _number(latency.p50 if latency else None),
        f">{interval_head}?": f"{_number(interval[0])}–{_number(interval[1])}{level}" if interval else "",
        ">p90 ms??": _number(latency.p90 if latency else None),
        ">p99 ms??": _number(latency.p99 if latency else None),
        **{
            f">{title.removesuffix(' accuracy')} %": f"{accuracy.figure:.2f}"
            if accuracy and accuracy.title == title
            else ""
            for title in ("top-1", *METRIC_TITLES.values())
        },
        ">flips???": str(accuracy.flips) if accuracy and accuracy.flips is not None else "",
        ">images???": str(accuracy.n) if accuracy else "",
        ">RAM MB???": f"{run.memory_mb:.0f}" if run.memory_mb is not None else "",
        ">mJ??": _number(run.energy_mj),
        ">instructions": f"{run.instructions:,}" if run.instructions is not None else "",
        "verdict": "" if estimated else Text(run.verdict.state, style),
    }


def _operators_table(run: Run) -> FittedTable:
    total = sum(row["mean_ms"] for row in run.per_layer) or 1.0
    table = make_table("operator", "kind?", "runs in??", ">ms", ">share", title=f"{_name(run)}, time per operator")
    for row in sorted(run.per_layer, key=lambda row: -row["mean_ms"])[:_MOST_OPERATORS]:
        share = f"{row['mean_ms'] / total:.0%}"
        table.add_row(row["name"], row["kind"], row["where"], _number(row["mean_ms"]), share)
    rest = len(run.per_layer) - _MOST_OPERATORS
    if rest > 0:
        table.add_row(f"and {rest} more", "", "", "", "")
    return table


def _name(run: Run) -> str:
    return run.artifact.rsplit("/", 1)[-1]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
