"""JUnit XML, in the shape Jenkins' xUnit plugin describes (junit-10.xsd) and GitHub, GitLab and Azure read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from eamdeploy.base.files import atomic_write_text
from eamdeploy.runs.findings.model import Check

# what XML 1.0 cannot carry at all, not even escaped: terminal colours in a board's stderr, for one
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(suite: str, checks: Iterable[Check]) -> str:
    """The checks as one JUnit test suite; a failed check a ``failure``, one asked for in vain an ``error``."""
    cases = list(checks)
    duration_s = sum(check.duration_s or 0.0 for check in cases)
    totals = {
        "name": _clean(suite),
        "tests": str(len(cases)),
        "failures": str(sum(check.failed for check in cases)),
        "errors": str(sum(check.unjudged for check in cases)),
        "time": f"{duration_s:.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    node = ElementTree.SubElement(
        root,
        "testsuite",
        {
            **totals,
            "skipped": str(sum(check.skipped and not check.unjudged for check in cases)),
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        },
    )
    for check in cases:
        _add_case(node, suite, check)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def write_junit(path: Path | str, suite: str, checks: Iterable[Check]) -> None:
    """Write :func:`junit_xml` to ``path``, whole or not at all.

    Raises:
        UsageError: when the file cannot be written.
    """
    atomic_write_text(path, junit_xml(suite, checks))


def _add_case(node: ElementTree.Element, suite: str, check: Check) -> None:
    group = f"{suite}.{check.group}" if check.group else suite
    attributes = {"name": _clean(check.name), "classname": _clean(group), "time": f"{check.duration_s or 0.0:.3f}"}
    case = ElementTree.SubElement(node, "testcase", attributes)
    message = _clean(check.message)
    if check.unjudged:
        ElementTree.SubElement(case, "error", {"message": message, "type": check.rule or "check"})
    elif check.skipped:
        ElementTree.SubElement(case, "skipped", {"message": message})
    elif check.failed:
        failure = ElementTree.SubElement(case, "failure", {"message": message, "type": check.rule or "check"})
        place = f" at {check.location}" if check.location else ""
        failure.text = _clean(f"{message}{place}\n" + "".join(f"{k}: {v}\n" for k, v in check.details.items()))
    else:
        ElementTree.SubElement(case, "system-out").text = message


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
