"""A gate for continuous integration: fails for real regressions, and only for those."""

from __future__ import annotations

from eamdeploy.runs.gate.judge import judge
from eamdeploy.runs.gate.model import RULES, GateResult, Thresholds
from eamdeploy.runs.gate.references import find_runs
from eamdeploy.runs.gate.run import compare_references, run_gate, write_baseline

__all__ = [
    "RULES",
    "GateResult",
    "Thresholds",
    "compare_references",
    "find_runs",
    "judge",
    "run_gate",
    "write_baseline",
]
