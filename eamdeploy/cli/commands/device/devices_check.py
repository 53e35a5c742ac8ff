"""``eamdeploy devices check``: the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eamdeploy.base.errors import BoardUnreachable, MissingDependency
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.completion_devices import complete_place
from eamdeploy.cli.progress import StageLines
from eamdeploy.cli.views.output import emit

if TYPE_CHECKING:
    from devices.doctor import Examination
    from devices.session.fanout import BoardOutcome

_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


def register_devices(devices: typer.Typer) -> None:
    """Add the command."""
    devices.command("check")(check)


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...",
            help="Names of your boards, 'host', or profiles (their emulated boards are checked).",
            autocompletion=complete_place,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Check all your boards.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Diagnose boards: list the problems that measurements would meet, and how to fix them.

    Nothing changes on the boards. The command exits with 6 if a board cannot be reached, and with 7 if something is missing.
    """
    from devices.doctor.many import check_places

    outcomes = check_places(names or [], every=every, progress=StageLines())
    document = {"devices": [_document(outcome) for outcome in outcomes]}
    emit("devices-check", document, as_json, lambda console: _render(console, outcomes))
    raise typer.Exit(_exit_code(outcomes))


def _document(outcome: BoardOutcome[Examination]) -> dict[str, Any]:
    examination = outcome.result
    return {
        "name": outcome.board,
        "reachable": not isinstance(outcome.error, BoardUnreachable),
        "error": str(outcome.error) if outcome.error else None,
        "elapsed_s": round(outcome.elapsed_s, 3),
        **(examination.to_dict() if examination else {"healthy": False, "checks": [], "facts": None}),
    }


def _render(console: Console, outcomes: list[BoardOutcome[Examination]]) -> None:
    for outcome in outcomes:
        console.print(outcome.board, style="bold")
        if outcome.result is None:
            console.print(f"  {outcome.error}", style="red", markup=False)
            continue
        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in outcome.result.findings:
            meaning = "; ".join(part for part in (finding.meaning, finding.hint) if part)
            sentence = f"{finding.observation}: {meaning}" if meaning else finding.observation
            table.add_row(
                Text(finding.level, _STYLES[finding.level]), Text(finding.check, no_wrap=True), Text(sentence)
            )
        console.print(table)


def _exit_code(outcomes: list[BoardOutcome[Examination]]) -> int:
    if any(isinstance(outcome.error, BoardUnreachable) for outcome in outcomes):
        return BoardUnreachable.exit_code
    errors = [outcome.error.exit_code for outcome in outcomes if outcome.error]
    if errors:
        return max(errors)
    sick = any(outcome.result is not None and not outcome.result.healthy for outcome in outcomes)
    return MissingDependency.exit_code if sick else 0
