"""SARIF 2.1.0 (OASIS standard): findings as code-scanning services show them, at a file and a layer.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from eamdeploy.base.files import atomic_write_text
from eamdeploy.runs.findings.model import Finding, Location, Rule

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(rules: Iterable[Rule], findings: Iterable[Finding]) -> dict[str, Any]:
    """One SARIF log with one run. A finding under a rule that is not among ``rules`` gets a bare one of its own."""
    rule_by_id = {rule.id: rule for rule in rules}
    all_findings = list(findings)
    for finding in all_findings:
        rule_by_id.setdefault(finding.rule, Rule(finding.rule, finding.rule.replace("/", ": ").replace("-", " ")))
    index = {rule: position for position, rule in enumerate(rule_by_id)}
    driver = {
        "name": "eamdeploy",
        "version": _version(),
        "rules": [_rule(rule) for rule in rule_by_id.values()],
    }
    results = [_result(finding, index[finding.rule]) for finding in all_findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def write_sarif(path: Path | str, rules: Iterable[Rule], findings: Iterable[Finding]) -> None:
    """Write :func:`sarif_log` to ``path``, whole or not at all.

    Raises:
        UsageError: when the file cannot be written.
    """
    atomic_write_text(path, json.dumps(sarif_log(rules, findings), indent=2) + "\n")


def _rule(rule: Rule) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": rule.id, "shortDescription": {"text": rule.summary}}
    if rule.help:
        entry["help"] = {"text": rule.help}
    return entry


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.level,
        "message": {"text": finding.message},
        # a service matches an alert to last week's by this: the place and the rule, never the figures in the message
        "partialFingerprints": {"eamdeploy/v1": _fingerprint(finding)},
    }
    if finding.location:
        result["locations"] = [_location(finding.location)]
    return result


def _location(location: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(location.path)}}
    if location.line is not None:
        physical["region"] = {"startLine": max(1, location.line)}
    place: dict[str, Any] = {"physicalLocation": physical}
    if location.logical:
        place["logicalLocations"] = [{"fullyQualifiedName": location.logical, "kind": "element"}]
    return place


def _uri(path: str | PurePath) -> str:
    """A relative URI for a relative path or one below the working folder, ``file:`` for any other."""
    plain = Path(path)
    if plain.is_absolute():
        try:
            plain = plain.relative_to(Path.cwd())
        except ValueError:
            return plain.as_uri()
    return quote(plain.as_posix())


def _fingerprint(finding: Finding) -> str:
    place = finding.location
    text = "\0".join([finding.rule, _uri(place.path) if place else "", (place.logical or "") if place else ""])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _version() -> str:
    try:
        return version("eamdeploy")
    except PackageNotFoundError:  # imported from a source tree that was never installed
        return "0"
