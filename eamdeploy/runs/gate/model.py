"""Thresholds, and what a gate found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from eamdeploy.base.errors import GateError, MeasurementError
from eamdeploy.base.results import to_dict
from eamdeploy.runs.compare import Comparison
from eamdeploy.runs.findings import Check, Rule

RULES = (
    Rule("gate/latency", "Inference became slower", "Compare the two artifacts' operator profiles: 'bench --profile'."),
    Rule("gate/instructions", "An inference executes more instructions", "Compare the manifests' lowering plans."),
    Rule("gate/accuracy", "Accuracy fell", "Run 'eamdeploy verify' on the artifact: it names the layer that diverges."),
    Rule("gate/size", "The artifact became larger", "Compare the manifests: precision, experts, constants."),
    Rule("gate/memory", "The peak memory of an inference rose", "Compare the lowering plans and the batch size."),
    Rule("gate/missing", "A run of the baseline has no counterpart", "Measure the artifact, or write a new baseline."),
)


@dataclass(frozen=True)
class Thresholds:
    """What is still allowed; ``None`` does not ask.

    Attributes:
        latency, instructions, size, memory: increase, as a fraction.
        accuracy_points: drop of top-1 in percentage points.
    """

    latency: float | None = 0.05
    instructions: float | None = 0.02
    accuracy_points: float | None = 1.0
    size: float | None = None
    memory: float | None = None


@dataclass(frozen=True)
class GateResult:
    """Every check that was made, and what it was made from."""

    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...]
    thresholds: Thresholds

    @property
    def verdict(self) -> Literal["passed", "failed", "not valid"]:
        """``failed`` with any failed check; ``not valid`` when nothing could be checked at all."""
        if any(check.failed for check in self.checks):
            return "failed"
        return "passed" if any(check.passed for check in self.checks) else "not valid"

    @property
    def exit_code(self) -> int:
        """0, 4 for a regression, 5 when no valid measurement was there to judge."""
        codes = {"passed": 0, "failed": GateError.exit_code, "not valid": MeasurementError.exit_code}
        return codes[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON types."""
        return {
            "verdict": self.verdict,
            "thresholds": to_dict(self.thresholds),
            "checks": [check.to_dict() for check in self.checks],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
        }
