"""Checks and findings as GitHub-flavoured Markdown tables, for step summaries and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from eamdeploy.runs.findings.model import Check, Finding

_MARKS = {"passed": "✅ passed", "failed": "❌ failed", "skipped": "⚪ skipped"}
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#@])")


def escape_cell(value: object) -> str:
    """Text that stays one table cell and is shown as it is: no markup, no mention, no line break of its own."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; every cell is escaped."""
    lines = ["| " + " | ".join(escape_cell(column) for column in columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(escape_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def checks_table(title: str, checks: Iterable[Check]) -> str:
    """A heading with the counts and a table of all checks, failed ones first."""
    order = {"failed": 0, "skipped": 1, "passed": 2}
    cases = sorted(checks, key=lambda check: order[check.status])
    counts = ", ".join(f"{n} {s}" for s in order if (n := sum(check.status == s for check in cases)))
    head = f"### {escape_cell(title)}: {counts or 'no checks'}\n\n"
    if not cases:
        return head
    rows = [(_MARKS[c.status], c.group or "–", c.name, c.message) for c in cases]
    return head + table(("result", "of", "check", "what was seen"), rows)


def findings_table(findings: Iterable[Finding]) -> str:
    """A table of findings; empty text when there are none."""
    rows = [(f.level, f.rule, f.location or "–", f.message) for f in findings]
    return table(("level", "rule", "where", "what"), rows) if rows else ""
