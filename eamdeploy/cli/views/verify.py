"""What ``eamdeploy verify`` shows and writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from eamdeploy.cli.views.actions_log import in_actions, write_commands
from eamdeploy.cli.views.written import append_summary
from eamdeploy.parity import RULES, ParityReport
from eamdeploy.runs import findings

_STYLES = {"passed": "green", "failed": "red", "skipped": "yellow"}


def render(reports: Sequence[ParityReport], console: Console) -> None:
    """Every check in a line, then the verdict, per artifact."""
    for report in reports:
        colour = _STYLES[report.verdict]
        for check in report.checks:
            style = _STYLES[check.status]
            line = Text.assemble((f"{check.status:7}", style), f" {check.name}: {check.message}")
            console.print(line, soft_wrap=True)
        if report.reference_top1 is not None and report.artifact_top1 is not None:
            console.print(
                f"        top-1 on {report.data}: {report.artifact_top1:.2f} %, "
                f"{'PyTorch' if report.rounding_images else report.checkpoint} {report.reference_top1:.2f} %"
            )
        for flip in report.flips[:5]:
            mark = "above" if flip.counts else "within"
            console.print(
                f"        {flip.image}: {flip.reference} became {flip.artifact}, "
                f"margin {flip.margin:.2g}, {mark} rounding",
                soft_wrap=True,
            )
        for note in report.notes:
            console.print(f"        {note}", soft_wrap=True)
        if report.warning:
            console.print(Text.assemble(("warning", "yellow"), f" {report.warning}"), soft_wrap=True)
        if report.skipped:
            console.print(f"        {len(report.skipped)} images do not decode, the first is {report.skipped[0]}")
        if report.first_divergence is not None:
            console.print(
                Text.assemble("        first layer to differ: ", (str(report.first_divergence), "bold")), soft_wrap=True
            )
        seconds = f"{report.images} images of {report.data}, {report.runtime}, {report.duration_s:.1f} s"
        console.print(
            Text.assemble((report.verdict, f"bold {colour}"), f" {report.artifact} ({seconds})"), soft_wrap=True
        )


def write_findings(reports: Sequence[ParityReport], junit: Path | None, sarif: Path | None, summary: bool) -> None:
    """JUnit, SARIF, GitHub's step summary and annotations, where they are asked for or expected."""
    checks = [check for report in reports for check in report.checks]
    check_findings = findings.findings_of(checks)
    if junit is not None:
        findings.write_junit(junit, "verify", checks)
    if sarif is not None:
        findings.write_sarif(sarif, RULES, check_findings)
    if summary:
        verdict = "passed" if all(report.passed for report in reports) else "failed"
        append_summary(findings.checks_table(f"eamdeploy verify {verdict}", checks))
    if in_actions():
        write_commands(findings.annotation_lines(check_findings))
