"""An estimate: a latency with its interval, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from devices.latency.estimate.breakdown import LayerTime
from eamdeploy.base.results import Provenance


@dataclass(frozen=True)
class Estimate:
    """An estimate, or why there is none.

    Attributes:
        p50_ms: expected median; None where nothing known is close enough, and then `notes` says why.
        interval90_ms: a 90 % prediction interval, conformal over what the calibration left out.
        calibration: its name; `calibration_title` in words.
        threads: that the estimate is for; None where the publisher does not state them.
        method: "operators" or "instructions": which costs the latency is a sum of.
        notes: whatever makes the interval wider than the calibration's own, in words.
        parts_ms: where the time goes.
        layers: the same per layer, in order of execution.
    """

    device: str
    runtime: str
    precision: str
    threads: int | None
    p50_ms: float | None
    interval90_ms: tuple[float, float] | None
    calibration: str | None
    calibration_title: str | None
    notes: tuple[str, ...] = ()
    parts_ms: dict[str, float] = field(default_factory=dict)
    layers: tuple[LayerTime, ...] = ()
    method: str | None = None

    @property
    def provenance(self) -> Provenance:
        """How a report must label the figure."""
        return Provenance(
            kind="estimated",
            board=self.device,
            runtime=self.runtime,
            calibration=self.calibration,
            note="; ".join(self.notes) or None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "device": self.device,
            "runtime": self.runtime,
            "precision": self.precision,
            "threads": self.threads,
            "provenance": "estimated" if self.p50_ms is not None else None,
            "p50_ms": self.p50_ms,
            "interval90_ms": list(self.interval90_ms) if self.interval90_ms else None,
            "calibration": self.calibration,
            "calibration_title": self.calibration_title,
            "method": self.method,
            "notes": list(self.notes),
            "parts_ms": self.parts_ms,
            "layers": [layer.to_dict() for layer in self.layers],
        }
