"""One artifact: planned, lowered, converted, verified beside its name, described by the manifest."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import ParityError
from eamdeploy.base.files import atomic_path
from eamdeploy.base.progress import Progress
from eamdeploy.data import ImageDataset
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity import ParityReport, check_parity
from eamdeploy.pipeline.export.options import ExportedArtifact, ExportOptions, parity_summary
from export.exporter.reference import attention_paths, convolution_layers, mixing_of
from export.exporter.request import ExportedFile, Exporter, ExportRequest
from export.manifest.document import ManifestSource, artifact_entry, write_manifest
from export.manifest.metadata import artifact_metadata
from export.planning.lower import lower
from export.planning.plan import Plan, plan_network
from export.planning.target import Target
from export.quantize.constant_weights import raise_if_computed
from runtimes.readers.artifact_files import artifact_bytes
from runtimes.readers.formats import FORMATS, companions_of, model_name


def export_one(
    checkpoint: Checkpoint,
    folder: Path,
    name: str,
    *,
    exporter: Exporter,
    target: Target,
    options: ExportOptions,
    dataset: ImageDataset | None,
    budget: Mapping[str, Any] | None,
    progress: Progress,
) -> ExportedArtifact:
    """Write ``folder/NAME.FORMAT`` and its entry in ``folder/NAME.manifest.json``.

    Args:
        name: of the artifact, without its suffix.
        target: what its layers are lowered for.
        dataset: images to verify on; the embedded sample by default.
        budget: how an accuracy budget was spent on ``checkpoint``, for metadata and manifest.
        progress: receives one sentence as each step begins.

    Raises:
        ParityError: it is not the same function; it is kept as ``NAME.rejected.FORMAT``.
    """
    spec = checkpoint.spec
    shape = spec.input_shape
    path = folder / FORMATS[exporter.format].file_name(name)
    clock = _Clock()
    progress.stage(f"planning {path.name}")
    plan = plan_network(
        checkpoint.network,
        target,
        shape,
        lowering=options.lowering,
        costs=options.costs,
        constant_weights=options.constant_weights,
    )
    clock.lap("plan")
    lowered = lower(checkpoint.network, plan)
    request = ExportRequest(
        input_shape=shape,
        batch=options.batch,
        layers=convolution_layers(lowered),
        attentions=attention_paths(lowered),
        opset=options.opset,
        simplify=options.simplify,
        machine=target.machine,
    )
    with atomic_path(path, companions=FORMATS[exporter.format].companions) as temporary:
        progress.stage(f"converting to {path.name}")
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
            mixing=mixing_of(checkpoint.network),
            head=checkpoint.meta.get("head"),
        )
        if options.constant_weights:
            raise_if_computed(temporary, exporter.format)
        exporter.attach_metadata(temporary, metadata)
        progress.stage(f"verifying {path.name}")
        report = check_parity(temporary, checkpoint, dataset, limit=options.images, name=str(path))
        clock.lap("verify")
        if not report.passed:
            raise _rejected(temporary, path, report)
    report = replace(report, artifact=str(path))
    entry = _entry(path, exporter, plan, exported=exported, report=report, options=options)
    if options.constant_weights:
        entry["constant_weights"] = True
    if budget is not None:
        entry["budget"] = dict(budget)
    source = ManifestSource(
        name,
        checkpoint.name,
        checkpoint_sha256=checkpoint.sha256,
        architecture=spec.to_dict(),
        classes=checkpoint.classes,
        preprocessing=checkpoint.preprocessing,
    )
    manifest = write_manifest(folder, source, [entry])
    return ExportedArtifact(
        path=path,
        manifest=manifest,
        format=exporter.format,
        precision=target.precision,
        bytes=artifact_bytes(path),
        plan=plan,
        parity=report,
        notes=exported.notes,
        seconds=clock.laps,
        budget=budget,
    )


def _entry(
    path: Path, exporter: Exporter, plan: Plan, *, exported: ExportedFile, report: ParityReport, options: ExportOptions
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
    artifact_format = FORMATS[report.format]
    rejected = path.with_name(f"{model_name(path)}.rejected{artifact_format.ending}")
    for file, rejected_file in zip(companions_of(temporary), companions_of(rejected), strict=True):
        os.replace(file, rejected_file)
    os.replace(temporary, rejected)
    return ParityError(
        f"the exported {report.format} file is {report.sentence}",
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
