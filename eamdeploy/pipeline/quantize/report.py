"""The evidence for a quantized artifact: what the manifest keeps, what the artifact carries, what a user is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import eamdeploy
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.pipeline.quantize.check import LatencyPair, QuantizationCheck
from export.manifest.document import ManifestSource, manifest_path, read_manifest, write_manifest
from export.planning.target import RUNTIME_FORMATS, host_machine
from export.quantize.quantizer import Written
from export.quantize.search import Attempt, Sensitivity
from runtimes.readers.artifact_files import artifact_bytes, artifact_sha256
from runtimes.readers.formats import format_of, model_name
from runtimes.registry import runtime_for


@dataclass(frozen=True)
class QuantizationReport:
    """How an artifact was quantized and what it lost.

    Attributes:
        same_images: whether the accuracy was checked on the images of the calibration.
        snr_db: signal to noise of each layer's output against the float artifact.
        ranking: layers by the noise they make when quantized alone, measured only where the bound did not hold at once.
        attempts: what was tried.
        demanded: layers that the user wanted in float.
        multi_label: whether the answers are sets of labels, which have no top-1.
        data_notes: what a user should know of the images.
        formless: dynamic layers that stay float because int8 has no form for how their kernels are computed.
        planned_for: precision whose operators the float artifact's plan chose; None without dynamic layers.
    """

    precision: str
    method: str | None
    calibration_data: str
    calibration_images: int
    calibration_classes: int
    check_data: str
    same_images: bool
    outcome: QuantizationCheck
    max_drop: float
    bytes: int
    float_bytes: int
    written: Written
    snr_db: Mapping[str, float]
    ranking: tuple[Sensitivity, ...]
    attempts: tuple[Attempt, ...]
    demanded: tuple[str, ...]
    latency: LatencyPair | None
    planned_for: str | None = None
    multi_label: bool = False
    data_notes: tuple[str, ...] = ()
    formless: tuple[str, ...] = ()

    @property
    def size_ratio(self) -> float:
        """Bytes of the quantized file over those of the float one."""
        return self.bytes / self.float_bytes

    def reason(self, layer: str) -> str | None:
        """Why a layer is in float."""
        if layer in self.demanded:
            return "demanded"
        if layer not in self.written.float_layers:
            return None
        noise = next((entry.score_noise for entry in self.ranking if entry.layer == layer), None)
        alone = "" if noise is None else f" ({noise:.2e} of the scores' energy when quantized alone)"
        return f"needed to stay within {self.max_drop:g} points{alone}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        layers = [*self.written.int8_layers, *self.written.float_layers]
        return {
            "method": self.method,
            "calibration": {
                "data": self.calibration_data,
                "images": self.calibration_images,
                "classes": self.calibration_classes,
            },
            "check": {"data": self.check_data, "images": self.outcome.images, "same_as_calibration": self.same_images},
            "float_top1": self.outcome.float_top1,
            "top1": self.outcome.top1,
            "drop_points": round(self.outcome.drop_points, 4),
            "max_drop_points": self.max_drop,
            "flips": self.outcome.flips,
            "labels_changed": self.outcome.labels_changed,
            "float_map": self.outcome.float_map,
            "map": self.outcome.map,
            "warning": self.outcome.warning,
            "float_bytes": self.float_bytes,
            "size_ratio": round(self.size_ratio, 4),
            "float_operator_share": round(self.written.float_share, 4),
            "layers": [
                {
                    "layer": layer,
                    "precision": "float" if layer in self.written.float_layers else self.precision,
                    "snr_db": self.snr_db.get(layer),
                    "reason": self.reason(layer),
                }
                for layer in layers
            ],
            "formless_layers": list(self.formless),
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "latency": None if self.latency is None else {**asdict(self.latency), "slower": self.latency.slower},
        }

    def parity(self) -> dict[str, Any]:
        """The summary in the form a manifest has for every artifact."""
        return {
            "verdict": "passed",
            "data": self.check_data,
            "images": self.outcome.images,
            "exact": False,
            "outputs": [],
            "flips": self.outcome.flips,
            "flips_above_rounding": self.outcome.flips,
            "drop_points": round(self.outcome.drop_points, 4),
        }

    def notes(self) -> list[str]:
        """What a user should know, in sentences."""
        notes = []
        if self.latency is not None and self.latency.slower:
            notes.append(
                f"on this host it is {self.latency.ratio:.2f}x as slow as the float file: "
                f"{self.latency.p50_ms:.3f} against {self.latency.float_p50_ms:.3f} ms"
            )
        if self.precision == "int8" and self.planned_for not in (None, "int8"):
            notes.append(
                f"the file's layers were lowered for {self.planned_for}: quantize the checkpoint instead, whose layers "
                "are then lowered for int8"
            )
        if self.outcome.warning is not None:
            notes.append(f"{self.outcome.warning}; the bound counts every change of the answer as lost")
        if self.multi_label:
            counted = (
                "mean average precision" if self.outcome.float_map is not None else "labels that only one file says"
            )
            notes.append(f"several labels an image: the bound is in points of {counted}")
        elif self.outcome.top1 is None:
            notes.append(
                "the data's classes are not the artifact's: the bound counts every change of the best class as lost"
            )
        if self.same_images:
            notes.append("the accuracy was checked on the images of the calibration, on no others")
        notes += self.data_notes
        notes += [f"{layer} stays float: {self.reason(layer)}" for layer in self.written.float_layers]
        if self.formless:
            layers = ", ".join(self.formless[:4]) + (
                f" and {len(self.formless) - 4} more" if len(self.formless) > 4 else ""
            )
            notes.append(f"no int8 form for how the kernels of {layers} are computed: they stay float")
        return notes


def quantized_metadata(
    carried: Mapping[str, Any], card: ModelCard, report: QuantizationReport, target: Path, input_layout: str
) -> dict[str, Any]:
    """The document the quantized artifact carries: what the float one ``carried``, or a new one for a foreign artifact."""
    raw = dict(carried) or {
        "schema_version": 1,
        "format": known_format.name if (known_format := format_of(target)) else target.suffix.lower()[1:],
        "architecture": None,
        "plan": [],
        "tensors": {},
        "input_layout": input_layout,
    }
    raw |= {
        "name": model_name(target),
        "precision": report.precision,
        "classes": list(card.classes),
        "preprocessing": card.preprocessing.to_dict(),
        "head": card.head.to_dict(),
        "eamdeploy_version": eamdeploy.__version__,
        "quantization": {
            "method": report.method,
            "float_layers": list(report.written.float_layers),
            "drop_points": round(report.outcome.drop_points, 4),
        },
    }
    if raw.get("target"):
        raw["target"] = {**raw["target"], "precision": report.precision}
    return raw


def write_entry(
    target: Path, source: Path, card: ModelCard, *, report: QuantizationReport, metadata: Mapping[str, Any], name: str
) -> Path:
    """Add the artifact to the manifest ``name`` beside it; returns the manifest's path."""
    runtime = runtime_for(target)
    default = {"runtime": runtime.name, "batch": 1, "threads": 1, "machine": host_machine()}
    layer_plans = {entry["layer"]: entry for entry in _plan_beside(source)}
    plan = [
        {
            "reason": "as lowered",
            "predicted_ms": None,
            "measured_ms": {},
            "refusals": [],
            **entry,
            **layer_plans.get(entry["layer"], {}),
        }
        for entry in metadata.get("plan", [])
    ]
    entry = {
        "file": target.name,
        "format": RUNTIME_FORMATS.get(runtime.name, target.suffix[1:]),
        "precision": report.precision,
        "bytes": artifact_bytes(target),
        "sha256": artifact_sha256(target),
        "input_layout": metadata["input_layout"],
        "opset": None,
        "target": {**default, **(metadata.get("target") or {}), "precision": report.precision},
        "plan": plan,
        "parity": report.parity(),
        "quantization": report.to_dict(),
        "versions": {"eamdeploy": eamdeploy.__version__, "runtime": runtime.version()},
        "notes": report.notes(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    sha256 = metadata.get("checkpoint_sha256") or artifact_sha256(source)
    origin = ManifestSource(
        name,
        model_name(source),
        checkpoint_sha256=sha256,
        architecture=metadata.get("architecture") or {},
        classes=card.classes,
        preprocessing=card.preprocessing.to_dict(),
    )
    return write_manifest(target.parent, origin, [entry])


def _plan_beside(source: Path) -> list[dict[str, Any]]:
    """The plan of ``source`` in a manifest in its folder, with the reasons that the artifact itself does not carry."""
    for path in (manifest_path(source.parent, source.stem), *sorted(source.parent.glob("*.manifest.json"))):
        if path.is_file():
            for entry in read_manifest(path).get("artifacts", []):
                if entry.get("file") == source.name:
                    return list(entry.get("plan", []))
    return []
