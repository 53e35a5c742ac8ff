"""What an export is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eamdeploy.parity import ParityReport
from eamdeploy.pipeline.budget import BudgetRequest
from eamdeploy.pipeline.quantize.options import QuantizeRequest
from export.exporter.request import DEFAULT_OPSET
from export.planning.plan import CostModel, Plan
from export.planning.target import Batch

DEFAULT_IMAGES = 100


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        formats: ``onnx``, ``tflite``.
        lowering: ``auto``, one lowering's name, or layer path to name.
        batch: images per call, or ``dynamic`` (ONNX alone).
        opset: of ONNX.
        device: profile to plan for. ``None`` is this kind of machine, in operators that run anywhere; ``host`` is this very
            machine, with whatever is fastest on it.
        threads: the runtime's threads to plan for.
        simplify: let onnxsim try.
        name: of the artifacts; the checkpoint's by default.
        images: how many images the verification uses.
        budget: accuracy that may be traded for cost; without one only exact lowerings are used.
        costs: measured costs for the planner, by runtime; without them the shipped rules decide.
        precisions: ``fp32`` and what can be quantized to: ``fp16``, ``int8``, ``int8-weights``.
        quantization: how; needed for anything but ``fp32``.
        constant_weights: allow no operator whose weight is computed: for runtimes that take constant kernels alone.
    """

    formats: tuple[str, ...] = ("onnx",)
    lowering: str | Mapping[str, str] = "auto"
    batch: Batch = 1
    opset: int = DEFAULT_OPSET
    device: str | None = None
    threads: int = 1
    simplify: bool = True
    name: str | None = None
    images: int = DEFAULT_IMAGES
    costs: CostModel | None = None
    budget: BudgetRequest | None = None
    precisions: tuple[str, ...] = ("fp32",)
    quantization: QuantizeRequest | None = None
    constant_weights: bool = False


@dataclass(frozen=True)
class ExportedArtifact:
    """One finished artifact.

    Attributes:
        manifest: its manifest's path.
        parity: the verification that it passed.
        notes: what was tried and dropped on the way.
        seconds: how long each step took.
        budget: how an accuracy budget was spent (:func:`eamdeploy.pipeline.budget.budget_report`), if one was given.
    """

    path: Path
    manifest: Path
    format: str
    precision: str
    bytes: int
    plan: Plan
    parity: ParityReport
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    budget: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of the ``export`` command."""
        return {
            "path": str(self.path),
            "manifest": str(self.manifest),
            "format": self.format,
            "precision": self.precision,
            "bytes": self.bytes,
            "batch": self.plan.target.batch,
            "lowerings": self.plan.lowerings(),
            "plan": self.plan.to_list(),
            "parity": parity_summary(self.parity),
            "notes": list(self.notes),
            "seconds": dict(self.seconds),
            **({} if self.budget is None else {"budget": dict(self.budget)}),
        }


def parity_summary(report: ParityReport) -> dict[str, Any]:
    """What a manifest keeps of a verification."""
    whole = report.to_dict()
    return {
        "verdict": report.verdict,
        "data": report.data,
        "images": report.images,
        "runtime": report.runtime,
        "exact": report.exact,
        "outputs": whole["outputs"],
        "flips": len(report.flips),
        "flips_above_rounding": report.flips_above_rounding,
        "attention_max_abs_error": max((row.max_abs_error for row in report.attention), default=None),
        "duration_s": round(report.duration_s, 3),
    }
