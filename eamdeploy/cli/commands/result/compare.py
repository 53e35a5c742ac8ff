"""``eamdeploy compare``: is B better than A, and how sure is that?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import eamdeploy
from eamdeploy.base.errors import MeasurementError
from eamdeploy.cli.options.common import JsonOption, StoreOption
from eamdeploy.cli.options.completion import complete_run

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id of a run or its beginning, latest, latest~1, an artifact's path or file name (its "
        "latest run), or a file of runs.",
        autocompletion=complete_run,
    ),
]
_STYLES = {"better": "green", "worse": "red", "same": "", "unknown": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", no_args_is_help=True, rich_help_panel="Results")(compare_command)


def compare_command(
    a: RunArgument,
    b: RunArgument,
    allow_skipped: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-skipped",
            metavar="NAME",
            help="Exit with 0 even if this figure could not be compared: latency, accuracy, instructions, "
            "size, memory, energy, or settings (the machine was set otherwise, such as another governor).",
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two runs, and show every difference with its confidence interval.

    Runs of one `eamdeploy bench A B` were measured in turns, so that compare can show smaller differences between them.
    Compare exits with 5 if a figure of both runs could not be compared, unless --allow-skipped names it.
    """
    from eamdeploy.cli.views.output import emit, make_table, print_facts
    from eamdeploy.cli.views.unreadable import note_unreadable
    from eamdeploy.runs.compare import known_figure
    from eamdeploy.runs.store import open_store

    allowed = [known_figure(name) for name in allow_skipped or ()]
    opened = open_store(store)
    comparison = eamdeploy.compare(a, b, store=opened)
    note_unreadable(opened)
    unjudged = comparison.unjudged(allowed)

    def render(console: Console) -> None:
        for letter, run in (("A", comparison.a), ("B", comparison.b)):
            where = f"{run.board or run.device}, {run.runtime} ×{run.threads}, {run.provenance.kind}"
            line = Text.assemble((letter, "bold"), f"  {run.artifact}  ({where}, {run.id})")
            console.print(line, soft_wrap=True)
        table = make_table("figure", ">A", ">B", "B is")
        for change in comparison.changes:
            words = Text(change.words, _STYLES[change.direction])
            table.add_row(change.metric, _value(change.a), _value(change.b), words)
        if comparison.changes and table.width <= console.width:
            console.print(table)
        else:  # what B is, is never cut
            print_facts(
                console, [(c.metric, f"A {_value(c.a)}, B {_value(c.b)}: {c.words}") for c in comparison.changes]
            )
        for metric, why in (*comparison.absent, *comparison.refused):
            console.print(f"{metric} not compared: {why}", soft_wrap=True)
        if not comparison.changes and not comparison.refused:
            console.print("the two runs have no figure in common")
        for note in comparison.notes:
            console.print(Text.assemble(("note", "yellow"), f" {note}"), soft_wrap=True)

        if unjudged:
            console.print(f"not judged: {', '.join(unjudged)}", soft_wrap=True)

    emit("compare", comparison.to_dict(), as_json, render)
    if unjudged:
        raise typer.Exit(MeasurementError.exit_code)


def _value(value: float) -> str:
    return f"{value:,.0f}" if value >= 10_000 else f"{value:.4g}"
