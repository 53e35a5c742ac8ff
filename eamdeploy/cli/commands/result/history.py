"""``eamdeploy history``: what was measured so far; ``history export`` and ``history import`` move it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eamdeploy.cli.help.screen import HelpTyper
from eamdeploy.cli.options.choices import ProvenanceName, VerdictName
from eamdeploy.cli.options.common import JsonOption, StoreOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.options.selection import (
    ArtifactFilter,
    BoardFilter,
    DeviceFilter,
    RunSelection,
    SinceFilter,
    UntilFilter,
)

ProvenanceFilter = Annotated[
    ProvenanceName | None, typer.Option("--provenance", help="Only runs whose latency came about this way.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    history = HelpTyper(invoke_without_command=True)
    history.callback()(list_runs)
    history.command("show", no_args_is_help=True)(show_run)
    history.command("export", no_args_is_help=True)(export_history)
    history.command("import", no_args_is_help=True)(import_history)
    history.command("quarantine")(quarantine_history)
    app.add_typer(history, name="history", rich_help_panel="Results", help=list_runs.__doc__)


@expand_groups
def list_runs(
    *,
    context: typer.Context,
    selection: RunSelection,
    provenance: ProvenanceFilter = None,
    verdict: Annotated[VerdictName | None, typer.Option("--verdict", help="Only runs with this verdict.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="Show at most this many runs, the latest ones.")] = 30,
    samples: Annotated[bool, typer.Option("--samples", help="Include every latency sample. Requires --json.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the stored runs, latest first."""
    if context.invoked_subcommand is not None:
        return
    from eamdeploy.cli.views.history import show_runs
    from eamdeploy.cli.views.unreadable import note_unreadable
    from eamdeploy.runs.store import open_store

    where = selection.where(provenance=provenance, verdict=verdict)
    opened = open_store(store)
    # a store that nothing was put into yet is an empty history, not an error
    runs = opened.select(where, limit=last, samples=samples) if opened.path.exists() or where.asks else []
    note_unreadable(opened)
    show_runs(runs, opened, as_json=as_json, samples=samples)


def show_run(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run or its beginning, latest, latest~1, or an artifact's path."),
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one run and the conditions of its measurement."""
    from eamdeploy.cli.views.history import show_one
    from eamdeploy.runs.store import open_store

    show_one(open_store(store).get(run), as_json=as_json)


def export_history(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .jsonl or .jsonl.gz.")],
    artifact: ArtifactFilter = None,
    device: DeviceFilter = None,
    board: BoardFilter = None,
    since: SinceFilter = None,
    until: UntilFilter = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write runs with all their samples to a file that another machine can import."""
    from eamdeploy.cli.views.output import emit
    from eamdeploy.cli.views.unreadable import note_unreadable
    from eamdeploy.runs.store import RunFilter, content_or_name, export_runs, open_store

    where = RunFilter(artifact=content_or_name(artifact), device=device, board=board, since=since, until=until)
    opened = open_store(store)
    opened.select(where, limit=1)
    count = export_runs(opened, file, where)
    note_unreadable(opened)
    document = {"exported": count, "path": str(file)}
    emit("history-export", document, as_json, lambda console: console.print(f"exported {count} runs to {file}"))


def import_history(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `eamdeploy history export` wrote.")],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the runs of an exported file. Runs that are already stored stay as they are."""
    from eamdeploy.cli.views.output import emit
    from eamdeploy.runs.store import import_runs, open_store

    done = import_runs(open_store(store), file)
    words = f"imported {done.added} runs" + (f", {done.existing} were here already" if done.existing else "")
    document = {"imported": done.added, "known": done.existing, "path": str(file)}
    emit("history-import", document, as_json, lambda console: console.print(words))


def quarantine_history(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Set aside stored runs that cannot be read. They stay in the file, but no command reads them again."""
    from eamdeploy.cli.views.output import emit
    from eamdeploy.runs.store import open_store

    quarantined = open_store(store).quarantine()

    def render(console: Console) -> None:
        for run_id, why in quarantined.items():
            console.print(f"set aside {run_id}: {why}", markup=False, soft_wrap=True)
        console.print("every stored run can be read" if not quarantined else f"set aside {len(quarantined)} runs")

    document = {"quarantined": [{"id": run_id, "why": why} for run_id, why in quarantined.items()]}
    emit("history-quarantine", document, as_json, render)
