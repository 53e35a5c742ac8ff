"""What a check found, in one model with five renderings: text, JSON, JUnit, SARIF, a GitHub step summary.

A :class:`Check` is one question with a yes or a no (a test case to a CI server); a :class:`Finding` is one thing wrong
at a place (an annotation to a code-review tool). The commands that judge, ``verify`` and ``gate``, make these and
nothing else; the writers here know nothing about either command.
"""

from __future__ import annotations

from eamdeploy.runs.findings.github import annotation_lines, append_step_summary
from eamdeploy.runs.findings.junit import junit_xml, write_junit
from eamdeploy.runs.findings.markdown import checks_table, escape_cell, findings_table, table
from eamdeploy.runs.findings.model import Check, Finding, Level, Location, Rule, findings_of
from eamdeploy.runs.findings.sarif import sarif_log, write_sarif

__all__ = [
    "Check",
    "Finding",
    "Level",
    "Location",
    "Rule",
    "annotation_lines",
    "append_step_summary",
    "checks_table",
    "escape_cell",
    "findings_of",
    "findings_table",
    "junit_xml",
    "sarif_log",
    "table",
    "write_junit",
    "write_sarif",
]
