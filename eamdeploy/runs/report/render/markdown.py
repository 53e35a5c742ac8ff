"""The report for a pull request: the choice, the differences and the runs, as Markdown without figures."""

from __future__ import annotations

from collections.abc import Sequence

from eamdeploy.base.results import Run
from eamdeploy.runs.findings import escape_cell
from eamdeploy.runs.findings import table as markdown_table
from eamdeploy.runs.report.collect import Material
from eamdeploy.runs.report.content import words
from eamdeploy.runs.report.content.attention import AttentionFile, attention_table
from eamdeploy.runs.report.content.manifest_tables import parity_table
from eamdeploy.runs.report.content.pareto import pareto_front
from eamdeploy.runs.report.content.tables import differences_table
from eamdeploy.runs.report.model import Names, ReportTable

_MOST_RUNS = 40


def render_markdown(material: Material, title: str) -> str:
    """Short enough for a comment; needs neither matplotlib nor jinja2."""
    names = Names()
    newest = material.newest()
    parts = [f"## {escape_cell(title)}\n", _runs(newest)]
    tables = (
        differences_table(names, [(min(group, key=lambda run: run.id), group) for group in material.groups()]),
        parity_table(names, list(material.entries())),
    )
    parts += [_table(table) for table in tables if table is not None]
    parts += [_attention(names, file) for file in material.attention]
    parts.append("_~ is an estimate of the latency model; intervals: 95 % of a measurement, 90 % of an estimate._\n")
    return "\n".join(parts)


def _attention(names: Names, file: AttentionFile) -> str:
    table = attention_table(names, [file])
    # a long table, folded so that it does not bury what comes before it
    folded = f"<details><summary>every layer</summary>\n{_table(table)}\n</details>\n" if table else ""
    return f"\n**Attention of {escape_cell(file.title)}**: {escape_cell(file.sentence)}.\n\n{folded}"


def _runs(runs: Sequence[Run]) -> str:
    if not runs:
        return "No run meets the filter.\n"
    unbeaten = {run.id for place in {words.place(run) for run in runs} for run in _front(runs, place)}
    columns = (
        "",
        "artifact",
        "on",
        "runtime",
        "median [interval]",
        "top-1 [interval]",
        "size",
        "provenance",
        "verdict",
    )
    rows = [
        (
            "★" if run.id in unbeaten else "",
            words.artifact(run),
            words.place(run),
            words.setting(run),
            words.latency(run).text,
            words.accuracy(run).text,
            words.size(run.bytes) if run.bytes else "–",
            run.provenance.kind,
            ": ".join(filter(None, (run.verdict.state, "; ".join(run.verdict.reasons)))),
        )
        for run in runs[:_MOST_RUNS]
    ]
    more = f"\n{len(runs) - _MOST_RUNS} more runs are not shown.\n" if len(runs) > _MOST_RUNS else ""
    star = "\n★ no other is both faster and more accurate there\n" if unbeaten else ""
    return markdown_table(columns, rows) + star + more


def _front(runs: Sequence[Run], place: str) -> list[Run]:
    place_runs = [run for run in runs if words.place(run) == place]
    return pareto_front(place_runs) if len(place_runs) > 1 else []


def _table(table: ReportTable) -> str:
    rows = [[cell.text for cell in row] for row in table.rows]
    return f"\n**{escape_cell(table.caption)}**\n\n" + markdown_table([column.label for column in table.columns], rows)
