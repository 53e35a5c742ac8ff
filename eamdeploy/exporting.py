"""From a checkpoint to artifacts that are proven right: plan, lower, export, simplify, verify, describe.

    results = export_checkpoint(load_checkpoint("net.safetensors"), Path("build"), ExportOptions(formats=("onnx", "tflite")))

An artifact is written beside its name and verified there on real images; it gets its name only if it passes.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from devices.profiles import load_profile
from eamdeploy.atomic import atomic_path
from eamdeploy.budgeting import BudgetRequest, spend_budget
from eamdeploy.data import ImageDataset
from eamdeploy.errors import ParityError, UsageError
from eamdeploy.model_card import ModelCard
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity import ParityReport, check_parity
from eamdeploy.preprocessing import Preprocessing
from eamdeploy.quantizing import QuantizedArtifact, QuantizeRequest, checked_request, quantize_artifact
from export.exporters import get_exporter
from export.lower import lower
from export.manifest import ManifestSource, artifact_entry, write_manifest
from export.metadata import artifact_metadata
from export.plan import CostModel, Plan, plan_network
from export.reference import convolution_layers
from export.request import DEFAULT_OPSET, ExportedFile, Exporter, ExportRequest
from export.target import Batch, Target, host_machine

Say = Callable[[str], None]
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


@dataclass(frozen=True)
class ExportedArtifact:
    """One finished artifact.

    Attributes:
        manifest: its manifest's path.
        parity: the verification that it passed.
        notes: what was tried and dropped on the way.
        seconds: how long each step took.
        budget: how an accuracy budget was spent (:func:`eamdeploy.budgeting.budget_report`), if one was given.
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


def export_checkpoint(
    checkpoint: Checkpoint,
    folder: Path,
    options: ExportOptions | None = None,
    *,
    dataset: ImageDataset | None = None,
    say: Say | None = None,
) -> list[ExportedArtifact | QuantizedArtifact]:
    """Export ``checkpoint`` to every format asked for, verified on ``dataset`` (the embedded sample by default).

    Args:
        say: called with one sentence as each step begins.

    Raises:
        ParityError: an artifact is not the same function; it is kept as ``NAME.rejected.SUFFIX``, and the layer is named.
        MissingDependency: a converter or runtime is not installed; checked for every format before any work.
        UsageError: an option that cannot be served.
    """
    options = options or ExportOptions()
    exporters = [get_exporter(name) for name in dict.fromkeys(options.formats)]
    if not exporters:
        raise UsageError("no format was asked for", hint="give --format onnx, tflite or both")
    name = options.name or checkpoint.name
    if Path(name).name != name or name.startswith("."):
        raise UsageError(f"'{name}' is no name for a file", hint="choose the folder with --out")
    machine, portable = _machine(options.device), options.device != "host"
    targets = [
        Target(exporter.runtime, batch=options.batch, threads=options.threads, machine=machine, portable=portable)
        for exporter in exporters
    ]
    for exporter in exporters:
        exporter.check_available()
    options = replace(
        options, quantization=checked_request(options.precisions, options.quantization, checkpoint.classes)
    )
    if folder.exists() and not folder.is_dir():
        raise UsageError("the output folder is a file", where=folder, hint="choose another --out")
    say = say or (lambda _: None)
    report = None
    if options.budget is not None:
        folder.mkdir(parents=True, exist_ok=True)
        spent = spend_budget(checkpoint, folder / f"{name}.rewritten.safetensors", options.budget, tuple(targets), say)
        checkpoint, report = spent.checkpoint, spent.report
    made: list[ExportedArtifact | QuantizedArtifact] = []
    for exporter, target in zip(exporters, targets, strict=True):

        def export(to: Path, wanted: Target, through: Exporter = exporter) -> ExportedArtifact:
            return _export_one(checkpoint, to, name, through, wanted, options, dataset, report, say)

        made += _in_every_precision(export, folder, name, exporter, target, options, checkpoint, say)
    return made


def _in_every_precision(
    export: Callable[[Path, Target], ExportedArtifact],
    folder: Path,
    name: str,
    exporter: Exporter,
    target: Target,
    options: ExportOptions,
    checkpoint: Checkpoint,
    say: Say,
) -> list[ExportedArtifact | QuantizedArtifact]:
    """The float artifact where it is wanted, and every quantized one made from a float one lowered for it."""
    made: list[ExportedArtifact | QuantizedArtifact] = []
    exact = export(folder, target) if "fp32" in options.precisions else None
    if exact is not None:
        made.append(exact)
    request = options.quantization
    for precision in (p for p in dict.fromkeys(options.precisions) if p != "fp32"):
        if request is None:
            raise UsageError(f"nothing was said on how to quantize to {precision}", where="--precision")
        with tempfile.TemporaryDirectory(prefix="eamdeploy-") as scratch:
            own = exact
            # int8 has lowerings of its own, but only dynamic layers are lowered
            if own is None or (own.plan.layers and (precision == "int8" or not target.portable)):
                own_precision = "int8" if precision == "int8" else "fp32"
                own = export(Path(scratch), replace(target, precision=own_precision, portable=True))
            made.append(
                quantize_artifact(
                    own.path,
                    folder / f"{name}-{precision}.{exporter.format}",
                    replace(request.options, precision=precision),
                    card=card_of(checkpoint),
                    calibration=request.calibration,
                    check=request.check,
                    class_map=request.class_map,
                    manifest_name=name,
                    baseline=None if exact is None else exact.path,
                    say=say,
                )
            )
    return made


def card_of(checkpoint: Checkpoint) -> ModelCard:
    """What a checkpoint says of its classes and its input."""
    return ModelCard(
        checkpoint.path or Path(checkpoint.name), checkpoint.classes, Preprocessing.from_dict(checkpoint.preprocessing)
    )


def _machine(device: str | None) -> str:
    profile = load_profile(device or "host")
    return host_machine() if profile.family == "host" else "aarch64"


def _export_one(
    checkpoint: Checkpoint,
    folder: Path,
    name: str,
    exporter: Exporter,
    target: Target,
    options: ExportOptions,
    dataset: ImageDataset | None,
    budget: Mapping[str, Any] | None,
    say: Say,
) -> ExportedArtifact:
    spec = checkpoint.spec
    shape = (spec.in_channels, spec.input_px, spec.input_px)
    path = folder / f"{name}.{exporter.format}"
    clock = _Clock()
    say(f"planning {path.name}")
    plan = plan_network(checkpoint.network, target, shape, lowering=options.lowering, costs=options.costs)
    clock.lap("plan")
    lowered = lower(checkpoint.network, plan)
    request = ExportRequest(
        input_shape=shape,
        batch=options.batch,
        layers=convolution_layers(lowered),
        opset=options.opset,
        simplify=options.simplify,
    )
    with atomic_path(path) as temporary:
        say(f"converting to {path.name}")
        exported = exporter(lowered, temporary, request)
        del lowered
        clock.lap("export")
        metadata = artifact_metadata(
            name=name,
            format=exporter.format,
            precision="fp32",  # a plan for int8 is exported in float first
            input_layout=exporter.input_layout,
            architecture=spec.to_dict(),
            classes=checkpoint.classes,
            preprocessing=checkpoint.preprocessing,
            plan=plan,
            exported=exported,
            checkpoint_sha256=checkpoint.sha256,
            budget=budget,
        )
        exporter.attach_metadata(temporary, metadata)
        say(f"verifying {path.name}")
        report = check_parity(temporary, checkpoint, dataset, limit=options.images, name=str(path))
        clock.lap("verify")
        if not report.passed:
            raise _rejected(temporary, path, report)
    report = replace(report, artifact=str(path))
    entry = _entry(path, exporter, plan, exported, report, options)
    if budget is not None:
        entry["budget"] = dict(budget)
    source = ManifestSource(
        name, checkpoint.name, checkpoint.sha256, spec.to_dict(), checkpoint.classes, checkpoint.preprocessing
    )
    manifest = write_manifest(folder, source, [entry])
    return ExportedArtifact(
        path=path,
        manifest=manifest,
        format=exporter.format,
        precision=target.precision,
        bytes=path.stat().st_size,
        plan=plan,
        parity=report,
        notes=exported.notes,
        seconds=clock.laps,
        budget=budget,
    )


def _entry(
    path: Path, exporter: Exporter, plan: Plan, exported: ExportedFile, report: ParityReport, options: ExportOptions
) -> dict[str, Any]:
    return artifact_entry(
        path,
        format=exporter.format,
        precision=plan.target.precision,
        input_layout=exporter.input_layout,
        plan=plan,
        parity=parity_summary(report),
        versions={**exported.versions, "runtime": report.runtime},
        notes=exported.notes,
        opset=options.opset if exporter.format == "onnx" else None,
    )


def _rejected(temporary: Path, path: Path, report: ParityReport) -> ParityError:
    rejected = path.with_name(f"{path.stem}.rejected{path.suffix}")
    os.replace(temporary, rejected)
    return ParityError(
        f"the exported {path.suffix[1:]} file is {report.sentence}",
        where=path,
        hint=f"it is kept as {rejected} to be looked at",
    )


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now
