"""The tables about runs: figures, differences, machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eamdeploy.base.results import Run
from eamdeploy.runs.compare import compare_runs
from eamdeploy.runs.report.content import words
from eamdeploy.runs.report.model import Cell, Names, ReportTable, table

# every pair of a large group would bury the one that matters
_MOST_PAIRS = 12


def runs_table(names: Names, runs: Sequence[Run]) -> ReportTable:
    """Every figure of every run, with its provenance."""
    columns = (
        "artifact", "precision", "on", "runtime", ">median [interval]", ">p90 ms", ">p99 ms", ">top-1 [interval]",
        ">images", ">size", ">memory", ">energy", ">instructions", "provenance", "verdict", "when (UTC)", "commit",
        "run",
    )  # fmt: skip
    return table(names.unique("all runs"), f"All {len(runs)} runs, latest first", columns, [_run(run) for run in runs])


def _run(run: Run) -> list[Cell | str]:
    timing, accuracy = run.latency_ms, run.accuracy
    return [
        words.artifact(run),
        run.precision,
        words.place(run),
        words.setting(run),
        words.latency(run),
        words.number(timing.p90 if timing else None),
        words.number(timing.p99 if timing else None),
        words.accuracy(run),
        Cell(f"{accuracy.n:,}", accuracy.n) if accuracy else words.NOTHING,
        Cell(words.size(run.bytes), run.bytes) if run.bytes else words.NOTHING,
        words.number(run.memory_mb, " MB"),
        words.number(run.energy_mj, " mJ"),
        Cell(f"{run.instructions:,}", run.instructions) if run.instructions else words.NOTHING,
        Cell(run.provenance.kind, badge=run.provenance.kind, note=run.provenance.note or ""),
        Cell(run.verdict.state, badge=run.verdict.state, note="; ".join(run.verdict.reasons)),
        run.provenance.when[:16].replace("T", " "),
        (run.git_commit or "")[:8],
        Cell(run.id),
    ]


def differences_table(names: Names, groups: Iterable[tuple[Run, Sequence[Run]]]) -> ReportTable | None:
    """Within each group of interleaved runs, each against the group's reference; ``None`` without groups."""
    rows: list[list[Cell | str]] = []
    for first, group in groups:
        for other in sorted((run for run in group if run is not first), key=lambda run: run.id):
            comparison = compare_runs(first, other)
            for change in comparison.changes:
                if change.metric == "bytes" or len(rows) >= _MOST_PAIRS * 3:
                    continue
                badge = {"better": "better", "worse": "worse"}.get(change.direction, "")
                rows.append(
                    [
                        words.artifact(other)
                        + ("" if other.runtime == first.runtime else f" ({words.setting(other)})"),
                        words.artifact(first),
                        words.place(other),
                        change.metric,
                        Cell(change.words, change.change, badge),
                        f"{change.method}, {change.details['rounds']} rounds" if change.details.get("rounds") else "",
                    ]
                )
    if not rows:
        return None
    columns = ("artifact", "against", "on", "figure", "is", "how")
    return table(names.unique("differences"), "Differences between runs that were measured in turns", columns, rows)


def machines_table(names: Names, runs: Sequence[Run]) -> ReportTable | None:
    """What is known of each machine and runtime that ran something."""
    rows: dict[tuple[str, ...], list[Cell | str]] = {}
    for run in runs:
        facts, versions = run.conditions.facts, run.provenance.versions
        row: list[Cell | str] = [
            words.place(run),
            run.provenance.board,
            facts.get("cpu", ""),
            facts.get("cpus", ""),
            facts.get("os") or versions.get("os", ""),
            facts.get("kernel") or versions.get("kernel", ""),
            run.conditions.governor or "",
            f"{run.provenance.runtime} {run.provenance.runtime_version}".strip(),
            versions.get("numpy", ""),
            versions.get("eamdeploy", ""),
            run.provenance.calibration or "",
        ]
        rows.setdefault(tuple(str(cell) for cell in row), row)
    columns = (
        "name", "machine", "processor", ">cores", "system", "kernel", "governor", "runtime", "numpy", "eamdeploy",
        "calibration",
    )  # fmt: skip
    if not rows:
        return None
    return table(names.unique("machines"), "Machines, runtimes and versions", columns, list(rows.values()))
