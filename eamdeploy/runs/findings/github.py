"""GitHub Actions: the step summary file and workflow-command annotations."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.runs.findings.model import Finding

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
# GitHub drops a step's whole summary when it is larger; better to cut it and say so
SUMMARY_LIMIT_BYTES = 1024 * 1024
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def append_step_summary(markdown: str, path: Path | str | None = None) -> Path | None:
    """Append ``markdown`` to the step summary, never overwriting what earlier steps wrote.

    Args:
        markdown: the text; cut at a line where the file would pass GitHub's limit.
        path: the file; left out, the one GitHub names in its environment.

    Returns:
        The file written, or None outside GitHub Actions.

    Raises:
        UsageError: when the file cannot be written.
    """
    name = path or os.environ.get(SUMMARY_VARIABLE)
    if not name:
        return None
    target = Path(name)
    try:
        used = target.stat().st_size if target.exists() else 0
        with target.open("a", encoding="utf-8", errors="replace") as file:
            file.write(_cut(markdown.rstrip("\n") + "\n\n", SUMMARY_LIMIT_BYTES - used))
    except OSError as error:
        raise UsageError("cannot append to the step summary", where=target, why=error.strerror) from error
    return target


def annotation_lines(findings: Iterable[Finding]) -> list[str]:
    """Workflow commands (``::error file=…::message``), one line each, for the command line to print."""
    return [_annotation(finding) for finding in findings]


def _annotation(finding: Finding) -> str:
    properties = {"title": finding.rule}
    if finding.location:
        properties["file"] = str(finding.location.path)
        if finding.location.line is not None:
            properties["line"] = str(finding.location.line)
    joined = ",".join(f"{key}={_escape(value, in_property=True)}" for key, value in properties.items())
    return f"::{_COMMANDS[finding.level]} {joined}::{_escape(finding.message)}"


def _escape(text: str, *, in_property: bool = False) -> str:
    """The escapes of GitHub's toolkit: a message must not be able to start a command of its own."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text


def _cut(text: str, room: int) -> str:
    if len(text.encode("utf-8", "replace")) <= room:
        return text
    note = "\n\n(cut: GitHub shows at most 1 MiB per step)\n\n"
    start = text.encode("utf-8", "replace")[: max(0, room - len(note.encode()))].decode("utf-8", "ignore")
    return start.rsplit("\n", 1)[0] + note if start else ""
