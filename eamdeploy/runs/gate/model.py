"""Thresholds, and what a gate found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from eamdeploy.base.errors import GateError, MeasurementError
from eamdeploy.base.results import to_dict
from eamdeploy.runs.compare import Comparison
from eamdeploy.runs.findings import Check, Rule

RULES = (
    Rule(
        "gate/latency",
        "Inference became slower",
        "Compare the two artifacts' operator profiles: 'eamdeploy bench FILE --operators'.",
    ),
    Rule("gate/instructions", "An inference executes more instructions", "Compare the manifests' lowering plans."),
    Rule("gate/accuracy", "Accuracy fell", "Run 'eamdeploy verify' on the artifact: it names the layer that diverges."),
    Rule("gate/size", "The artifact became larger", "Compare the manifests: precision, experts, constants."),
    Rule("gate/memory", "The peak memory of an inference rose", "Compare the lowering plans and the batch size."),
    Rule(
        "gate/settings",
        "The machine was set otherwise",
        "Set governor, power mode and clocks as they were, measure again.",
    ),
    Rule("gate/missing", "A run of the baseline has no counterpart", "Measure the artifact, or write a new baseline."),
)


@dataclass(frozen=True)
class Thresholds:
    """What is still allowed; ``None`` does not ask.

    Attributes:
        latency, instructions, size, memory: increase, as a fraction.
        accuracy_points: drop of top-1 in percentage points.
        required: names of those that have to be judged for every artifact; the others are judged where a run has the figure.
    """

    latency: float | None = 0.05
    instructions: float | None = 0.02
    accuracy_points: float | None = 1.0
    size: float | None = None
    memory: float | None = None
    required: frozenset[str] = frozenset()


@dataclass(frozen=True)
class GateResult:
    """Every check that was made, and what it was made from."""

    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...]
    thresholds: Thresholds

    @property
    def verdict(self) -> Literal["passed", "failed", "not valid"]:
        """``failed`` with any failed check; ``not valid`` when one that was asked for, or all, could not be judged."""
        if any(check.failed for check in self.checks):
            return "failed"
        judged = any(check.passed for check in self.checks)
        return "passed" if judged and not self.unjudged else "not valid"

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Names of the checks that were asked for and could not be judged, as ``allow_skipped`` takes them."""
        return tuple(sorted({name_of(check) for check in self.checks if check.unjudged}))

    @property
    def sentence(self) -> str:
        """The verdict, and the names of what failed and of what could not be judged."""
        failed = sorted({name_of(check) for check in self.checks if check.failed})
        parts = [f"failed: {', '.join(failed)}"] if failed else []
        if self.unjudged:
            parts.append(f"not judged: {', '.join(self.unjudged)}")
        elif self.verdict == "not valid":
            parts.append("nothing was judged")
        if allowed := sorted({name_of(check) for check in self.checks if check.skipped and not check.required}):
            parts.append(f"allowed to be skipped: {', '.join(allowed)}")
        return f"gate {self.verdict}" + (f" ({'; '.join(parts)})" if parts else "")

    @property
    def exit_code(self) -> int:
        """0, 4 for a regression, 5 when something that was asked for could not be judged."""
        codes = {"passed": 0, "failed": GateError.exit_code, "not valid": MeasurementError.exit_code}
        return codes[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON types."""
        return {
            "verdict": self.verdict,
            "not_judged": list(self.unjudged),
            "thresholds": {**to_dict(self.thresholds), "required": sorted(self.thresholds.required)},
            "checks": [check.to_dict() for check in self.checks],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
        }


def name_of(check: Check) -> str:
    """The name that ``allow_skipped`` knows a check by: its rule's, without the gate."""
    return check.rule.removeprefix("gate/")
