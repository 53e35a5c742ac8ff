"""Every format and precision that was asked for, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from devices.boards.profiles import load_profile
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.data import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.pipeline.budget import spend_budget
from eamdeploy.pipeline.export.artifact import export_one
from eamdeploy.pipeline.export.options import ExportedArtifact, ExportOptions
from eamdeploy.pipeline.failures import Attempts
from eamdeploy.pipeline.quantize.options import QuantizedArtifact, checked_request
from eamdeploy.pipeline.quantize.run import quantize_artifact
from eamdeploy.runs.card import write_card
from export.exporter.registry import get_exporter
from export.exporter.request import Exporter
from export.planning.target import Target, host_machine
from runtimes.readers.formats import FORMATS


def export_checkpoint(
    checkpoint: Checkpoint,
    folder: Path,
    options: ExportOptions | None = None,
    *,
    dataset: ImageDataset | None = None,
    progress: Progress = SILENT,
) -> list[ExportedArtifact | QuantizedArtifact]:
    """Export ``checkpoint`` to every format asked for, verified on ``dataset`` (the embedded sample by default).

    Args:
        progress: receives one sentence as each step begins.

    Raises:
        ParityError: an artifact is not the same function; it is kept as ``NAME.rejected.SUFFIX``, and the layer is named.
        ArtifactsFailed: of several artifacts some failed; the others are there.
        MissingDependency: a converter or runtime is not installed; checked for every format before any work.
        UsageError: an option that cannot be served.
    """
    options = options or ExportOptions()
    formats = FORMATS if "all" in options.formats else options.formats
    exporters = [get_exporter(name) for name in dict.fromkeys(formats)]
    if not exporters:
        raise UsageError("no format was asked for", hint=f"give one or several of {', '.join(FORMATS)}")
    name = options.name or checkpoint.name
    if Path(name).name != name or name.startswith("."):
        raise UsageError(f"'{name}' is no name for a file", hint="choose the folder with `out`")
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
        raise UsageError("the output folder is a file", where=folder, hint="choose another `out`")
    report = None
    if options.budget is not None:
        folder.mkdir(parents=True, exist_ok=True)
        spending = spend_budget(
            checkpoint, folder / f"{name}.rewritten.safetensors", options.budget, tuple(targets), progress
        )
        checkpoint, report = spending.checkpoint, spending.report
    attempts: Attempts[ExportedArtifact | QuantizedArtifact] = Attempts()
    for exporter, target in zip(exporters, targets, strict=True):

        def export(to: Path, target: Target, through: Exporter = exporter) -> ExportedArtifact:
            return export_one(
                checkpoint,
                to,
                name,
                exporter=through,
                target=target,
                options=options,
                dataset=dataset,
                budget=report,
                progress=progress,
            )

        _in_every_precision(
            attempts,
            export,
            folder=folder,
            name=name,
            exporter=exporter,
            target=target,
            options=options,
            checkpoint=checkpoint,
            progress=progress,
        )
    if attempts.artifacts:
        write_card(folder, name)
    return attempts.finish()


def _in_every_precision(
    attempts: Attempts[ExportedArtifact | QuantizedArtifact],
    export: Callable[[Path, Target], ExportedArtifact],
    *,
    folder: Path,
    name: str,
    exporter: Exporter,
    target: Target,
    options: ExportOptions,
    checkpoint: Checkpoint,
    progress: Progress,
) -> None:
    """The float artifact where it is wanted, and every quantized one made from a float one lowered for it."""
    exact: ExportedArtifact | None = None
    if "fp32" in options.precisions:
        with attempts.at(f"{exporter.format} fp32"):
            exact = export(folder, target)
            attempts.artifacts.append(exact)
    request = options.quantization
    for precision in (p for p in dict.fromkeys(options.precisions) if p != "fp32"):
        if request is None:
            raise UsageError(f"nothing was said on how to quantize to {precision}", where="`precisions`")
        with (
            tempfile.TemporaryDirectory(prefix="eamdeploy-") as scratch,
            attempts.at(f"{exporter.format} {precision}"),
        ):
            own_precision_file = exact
            # int8 has lowerings of its own, but only dynamic layers are lowered
            if own_precision_file is None or (
                own_precision_file.plan.layers and (precision == "int8" or not target.portable)
            ):
                own_precision = "int8" if precision == "int8" else "fp32"
                own_precision_file = export(Path(scratch), replace(target, precision=own_precision, portable=True))
            attempts.artifacts.append(
                quantize_artifact(
                    own_precision_file.path,
                    folder / FORMATS[exporter.format].file_name(f"{name}-{precision}"),
                    replace(request.options, precision=precision),
                    card=card_of(checkpoint),
                    calibration=request.calibration,
                    check=request.check,
                    class_map=request.class_map,
                    manifest_name=name,
                    baseline=None if exact is None else exact.path,
                    progress=progress,
                )
            )


def card_of(checkpoint: Checkpoint) -> ModelCard:
    """What a checkpoint says of its classes and its input."""
    return ModelCard(
        checkpoint.path or Path(checkpoint.name), checkpoint.classes, Preprocessing.from_dict(checkpoint.preprocessing)
    )


def _machine(device: str | None) -> str:
    profile = load_profile(device or "host")
    return host_machine() if profile.family == "host" else "aarch64"
