"""``eamdeploy gate``: fail a build for a real regression, and only for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

import eamdeploy
from eamdeploy.cli.options.common import JsonOption, StoreOption
from eamdeploy.cli.options.completion import complete_run

if TYPE_CHECKING:
    from eamdeploy.runs.gate import GateResult

_STYLES = {"passed": "green", "failed": "red", "skipped": "yellow"}
# a check's name to the parameter that sets its limit
_LIMITS = {
    "latency": "max_latency_increase",
    "instructions": "max_instructions_increase",
    "accuracy": "max_accuracy_drop",
    "size": "max_size_increase",
    "memory": "max_memory_increase",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gate", no_args_is_help=True, rich_help_panel="Results")(gate_command)


def gate_command(
    *,
    context: typer.Context,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            help="The reference: a file of runs in your repository, commit:PREFIX, a stored run, or an "
            "artifact's path.",
            autocompletion=complete_run,
        ),
    ] = None,
    current: Annotated[
        list[str] | None,
        typer.Option(
            "--current",
            help="What to judge: files of runs, stored runs or artifacts. Default: the latest stored runs "
            "of the baseline's artifacts.",
            autocompletion=complete_run,
        ),
    ] = None,
    max_latency_increase: Annotated[
        str,
        typer.Option(
            "--max-latency-increase",
            help="Fail if the latency rises by more than this many percent. 'off' skips the check.",
        ),
    ] = "5",
    max_instructions_increase: Annotated[
        str,
        typer.Option(
            "--max-instructions-increase",
            help="Fail if the instruction count of emulated runs rises by more than this many percent. "
            "'off' skips the check.",
        ),
    ] = "2",
    max_accuracy_drop: Annotated[
        str,
        typer.Option(
            "--max-accuracy-drop",
            help="Fail if top-1 accuracy drops by more than this many percentage points. 'off' skips the check.",
        ),
    ] = "1",
    max_size_increase: Annotated[
        str,
        typer.Option(
            "--max-size-increase", help="Fail if the file grows by more than this many percent. 'off' skips the check."
        ),
    ] = "off",
    max_memory_increase: Annotated[
        str,
        typer.Option(
            "--max-memory-increase",
            help="Fail if the peak memory rises by more than this many percent. 'off' skips the check.",
        ),
    ] = "off",
    allow_skipped: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-skipped",
            metavar="NAME",
            help="Pass even if this check could not be judged: latency, instructions, accuracy, size, "
            "memory, settings (the machine was set otherwise, such as another governor) or missing.",
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Pass even if an artifact of the baseline has no current run (as --allow-skipped missing).",
        ),
    ] = False,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            "--write-baseline", help="Write the --current runs to this file as the new baseline. Nothing is judged."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Also write the checks as JUnit XML to this file.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", help="Also write the failed checks as SARIF to this file.")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary/--no-summary", help="Append the checks to the job summary on GitHub Actions.")
    ] = True,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare runs with a baseline, and fail if they are worse.

    A check fails if the whole confidence interval of the change lies beyond the limit, so that noise alone does not fail a
    build. Gate exits with 4 if a check fails, and with 5 if a check could not be judged. A check that you set by its option
    must be judged for every artifact; the others are judged if both runs have the figure.
    """
    from eamdeploy.cli.views.output import emit
    from eamdeploy.cli.views.unreadable import note_unreadable
    from eamdeploy.runs.gate import Thresholds
    from eamdeploy.runs.gate import write_baseline as write
    from eamdeploy.runs.store import open_store

    opened = open_store(store)
    if write_baseline is not None:
        runs = write(opened, write_baseline, current or ["latest"])
        document = {"baseline": str(write_baseline), "runs": [run.id for run in runs]}
        words = f"wrote {len(runs)} run{'s' if len(runs) != 1 else ''} to {write_baseline}"
        emit("gate-baseline", document, as_json, lambda console: console.print(words))
        return
    from eamdeploy.cli.views.written import after_verdict

    if baseline is None:
        raise typer.BadParameter("name what to hold the runs against", param_hint="--baseline")
    limits = Thresholds(
        latency=_fraction(max_latency_increase, "--max-latency-increase"),
        instructions=_fraction(max_instructions_increase, "--max-instructions-increase"),
        accuracy_points=_number(max_accuracy_drop, "--max-accuracy-drop"),
        size=_fraction(max_size_increase, "--max-size-increase"),
        memory=_fraction(max_memory_increase, "--max-memory-increase"),
        required=frozenset(name for name in _LIMITS if _is_given(context, _LIMITS[name])),
    )
    allowed = [*(allow_skipped or ()), *(("missing",) if allow_missing else ())]
    result = eamdeploy.gate(baseline, current or [], thresholds=limits, allow_skipped=allowed, store=opened)
    note_unreadable(opened)
    emit("gate", result.to_dict(), as_json, lambda console: _render(result, console))
    after_verdict(lambda: _write_files(result, junit, sarif, summary), result.exit_code)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _write_files(result: GateResult, junit: Path | None, sarif: Path | None, summary: bool) -> None:
    from eamdeploy.cli.views.actions_log import in_actions, write_commands
    from eamdeploy.cli.views.written import append_summary
    from eamdeploy.runs import findings
    from eamdeploy.runs.gate import RULES

    gate_findings = findings.findings_of(result.checks)
    if junit is not None:
        findings.write_junit(junit, "gate", result.checks)
    if sarif is not None:
        findings.write_sarif(sarif, RULES, gate_findings)
    if summary:
        append_summary(findings.checks_table(f"eamdeploy gate {result.verdict}", result.checks))
    if in_actions():
        write_commands(findings.annotation_lines(gate_findings))


def _render(result: GateResult, console: Console) -> None:
    for check in sorted(result.checks, key=lambda check: list(_STYLES).index(check.status)):
        style = _STYLES[check.status]
        line = Text.assemble((f"{check.status:7}", style), f" {check.name}, {check.group}: {check.message}")
        console.print(line, soft_wrap=True)
    colour = {"passed": "green", "failed": "red", "not valid": "yellow"}[result.verdict]
    verdict = result.sentence.removeprefix("gate ")
    rest = verdict.removeprefix(result.verdict)
    console.print(Text.assemble("gate ", (result.verdict, f"bold {colour}"), rest), soft_wrap=True)


def _is_given(context: typer.Context, parameter: str) -> bool:
    """Whether a user set the option, on the command line, in the environment or in a file, and not to 'off'."""
    source = context.get_parameter_source(parameter)
    is_given = source is not None and source.name != "DEFAULT"
    return is_given and str(context.params[parameter]).strip().lower() != "off"


def _fraction(text: str, flag: str) -> float | None:
    percent = _number(text.strip().removesuffix("%"), flag)
    return None if percent is None else percent / 100.0


def _number(text: str, flag: str) -> float | None:
    if text.strip().lower() == "off":
        return None
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise typer.BadParameter(f"a number that is not negative, or 'off', not '{text}'", param_hint=flag)
    return value
