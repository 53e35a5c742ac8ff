"""How runs look in a terminal; the provenance and the interval are never left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from eamdeploy.base.head_metric import METRIC_TITLES
from eamdeploy.base.results import Run, to_dict
from eamdeploy.cli.views.output import emit, make_table, print_facts
from eamdeploy.cli.views.table import FittedTable
from eamdeploy.runs.store import Store

STATE_STYLES = {"clean": "green", "suspect": "yellow", "invalid": "red"}


def show_runs(runs: Sequence[Run], store: Store, *, as_json: bool, samples: bool) -> None:
    """Print a list of runs on stdout."""
    documents = [to_dict(run) for run in runs]
    if not samples:
        for document in documents:
            for part in (document["latency_ms"], document["conditions"]):
                if part:
                    part.pop("samples", None)
                    part.pop("block", None)

    def render(console: Console) -> None:
        if not runs:
            place_text = (
                f"no run in {store.path} meets this" if store.path.exists() else f"nothing is stored in {store.path}"
            )
            console.print(f"{place_text} yet" if not store.path.exists() else place_text, soft_wrap=True)
            return
        console.print(_table(runs))

    unreadable = [{"id": run_id, "why": why} for run_id, why in store.unreadable.items()]
    emit("history", {"runs": documents, "store": str(store.path), "unreadable": unreadable}, as_json, render)


def show_one(run: Run, *, as_json: bool) -> None:
    """Print everything about one run on stdout."""
    emit("run", {"run": to_dict(run)}, as_json, lambda console: _render_one(run, console))


def latency_words(run: Run) -> str:
    """``12.3 ms [12.1, 12.6]``, with ``~`` before an estimate."""
    latency = run.latency_ms
    if latency is None:
        return "–"
    interval = latency.ci95 or latency.interval90
    bounds = f" [{_figure(interval[0])}, {_figure(interval[1])}]" if interval else ""
    sign = "" if latency.samples or run.provenance.kind == "measured" else "~"
    return f"{sign}{_figure(latency.p50)} ms{bounds}"


def _table(runs: Sequence[Run]) -> FittedTable:
    now = datetime.now(UTC)
    level = "" if any(run.provenance.kind == "estimated" for run in runs) else "95 % "
    rows = [_cells(run, now, level) for run in runs]
    used = [name for name in rows[0] if any(row[name] for row in rows)]
    table = make_table(*used)
    for row in rows:
        table.add_row(*(row[name] for name in used))
    return table


def short_id(run_id: str) -> str:
    """The part of an id that follows the time: short, and every command that takes a run accepts it."""
    return run_id.rpartition("-")[2] or run_id


def relative_time(when: str, now: datetime) -> str:
    """How long ago a run was made, in one unit; its date where it is over a month ago or no time is known."""
    try:
        seconds = (now - datetime.fromisoformat(when)).total_seconds()
    except (TypeError, ValueError):
        return when[:10]
    for unit, length, most in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86400), ("d", 86400, 31 * 86400)):
        if 0 <= seconds < most:
            return f"{int(seconds // length)} {unit} ago"
    return when[:10]


def _cells(run: Run, now: datetime, level: str) -> dict[str, str | Text]:
    style = STATE_STYLES[run.verdict.state]
    return {
        "artifact": Path(run.artifact).name,
        "id": short_id(run.id),
        "when?": relative_time(run.provenance.when, now),
        "device?": run.board or run.device,
        "runtime??": f"{run.runtime} ×{run.threads}",
        "precision????": run.precision,
        f">median [{level}interval]": latency_words(run),
        "verdict": "" if run.provenance.kind == "estimated" else Text(run.verdict.state, style),
        **{f">{name.removesuffix(' accuracy')} %": _accuracy(run, name) for name in ("top-1", *METRIC_TITLES.values())},
        ">instructions??": f"{run.instructions:,}" if run.instructions else "",
        "source": run.provenance.kind,
        "commit???": (run.git_commit or "")[:8],
    }


def _render_one(run: Run, console: Console) -> None:
    accuracy, facts = run.accuracy, run.conditions.facts
    threads = "1 thread" if run.threads == 1 else f"{run.threads} threads"
    temperatures = [s.temperature_c for s in run.conditions.samples if s.temperature_c is not None]
    entries = {
        "run": run.id,
        "artifact": f"{run.artifact} ({run.format} {run.precision}, {run.bytes:,} bytes)",
        "sha256": run.artifact_sha256,
        "where": f"{run.board or run.device} ({run.provenance.board})",
        "runtime": f"{run.runtime} {run.provenance.runtime_version}, {threads}, batch {run.batch}",
        "provenance": f"{run.provenance.kind}, {run.provenance.when}",
        "note": run.provenance.note or "",
        "latency": latency_words(run) + (f", {len(run.latency_ms.samples)} samples" if run.latency_ms else ""),
        "p90 / p99": f"{_figure(run.latency_ms.p90)} / {_figure(run.latency_ms.p99)} ms" if run.latency_ms else "",
        "accuracy": f"{accuracy.title} {accuracy.figure:.2f} % of {accuracy.n} images of {accuracy.data}"
        if accuracy
        else "",
        "memory": f"{run.memory_mb:.1f} MB peak" if run.memory_mb is not None else "",
        "energy": f"{run.energy_mj:.2f} mJ ({run.conditions.energy_source})" if run.energy_mj is not None else "",
        "instructions": f"{run.instructions:,}" if run.instructions else "",
        "temperature": f"{min(temperatures):.1f} to {max(temperatures):.1f} °C" if temperatures else "",
        "verdict": " – ".join([run.verdict.state, *run.verdict.reasons]),
        "commit": run.git_commit or "",
        **{name: value for name, value in facts.items() if value},
    }
    print_facts(console, entries.items())


def _accuracy(run: Run, title: str) -> str:
    return f"{run.accuracy.figure:.2f}" if run.accuracy is not None and run.accuracy.title == title else ""


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
