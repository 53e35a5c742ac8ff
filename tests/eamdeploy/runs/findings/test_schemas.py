"""What is written is what the consumers' own schemas accept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from eamdeploy.runs.findings import (
    Check,
    Finding,
    Location,
    Rule,
    findings_of,
    junit_xml,
    sarif_log,
    write_junit,
    write_sarif,
)

CHECKS = [
    Check("latency_ms.p50", True, "no difference shown", group="model.onnx", duration_s=0.25),
    Check("top1", False, "accuracy <fell> & \x1b[31mred\x1b[0m \udcff 中", group="m.onnx", details={"drop": 0.02}),
    Check("energy_mj", False, "no sensor on this board", skipped=True),
    Check("p90", False, "slower", location=Location("out/my model.onnx", logical="features.3.conv")),
]


def _validator(fetched: Callable[[str], Path]) -> Callable[[str], None]:
    etree = pytest.importorskip("lxml.etree", reason="lxml validates against the XSD")
    schema = etree.XMLSchema(etree.parse(str(fetched("junit-10.xsd"))))
    return lambda text: schema.assertValid(etree.fromstring(text.encode("utf-8")))


@pytest.mark.parametrize("checks", [CHECKS, [], CHECKS[:1]])
def test_junit_is_valid(fetched: Callable[[str], Path], tmp_path: Path, checks: list[Check]) -> None:
    write_junit(tmp_path / "junit.xml", "verify", checks)
    _validator(fetched)((tmp_path / "junit.xml").read_text("utf-8"))


def test_the_junit_schema_can_refuse(fetched: Callable[[str], Path]) -> None:
    with pytest.raises(Exception, match="testcas"):
        _validator(fetched)(junit_xml("verify", CHECKS).replace("testcase", "testcas"))


@pytest.mark.parametrize("findings", [findings_of(CHECKS), [], [Finding("a/b", "note", "x", Location("/abs/f.py", 0))]])
def test_sarif_is_valid(fetched: Callable[[str], Path], tmp_path: Path, findings: list[Finding]) -> None:
    write_sarif(tmp_path / "out.sarif", [Rule("parity/top1", "Top-1 differs", "Export again")], findings)
    log = json.loads((tmp_path / "out.sarif").read_text("utf-8"))
    schema = json.loads(fetched("sarif.json").read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(log)] == []
    log["runs"][0]["tool"]["driver"].pop("name")
    assert list(validator.iter_errors(log))


def test_every_result_points_at_its_rule() -> None:
    run = sarif_log([Rule("top1", "Top-1 differs")], findings_of(CHECKS))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [r["ruleId"] for r in run["results"]]
    assert len(set(rules)) == len(rules) == 4
