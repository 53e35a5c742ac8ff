"""The verification of one artifact against one checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eamdeploy.base.chance import reference_warning
from eamdeploy.base.progress import SILENT, Progress, ProgressOf
from eamdeploy.data import ImageDataset, embedded_sample
from eamdeploy.data.dataset import take
from eamdeploy.data.remarks import remarks_on
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.budget import budget_check, find_rewritten, spent_on
from eamdeploy.parity.classes_output import classes_output
from eamdeploy.parity.compare.locate import locate
from eamdeploy.parity.compare.measure import ParityMeasurements, measure
from eamdeploy.parity.fit import carries_what_the_checkpoint_has, check_fit, origin, said_output
from eamdeploy.parity.report import rules
from eamdeploy.parity.report.checks import (
    attention_check,
    batch_check,
    checkpoint_check,
    flips_check,
    layer_of,
    output_check,
    unknown_output_check,
)
from eamdeploy.parity.report.judge import is_exact
from eamdeploy.parity.report.limits import ParityTolerance
from eamdeploy.parity.report.model import ParityReport
from eamdeploy.parity.run.images import run_both
from eamdeploy.parity.run.probabilities import gives_probabilities, softmax_behind
from eamdeploy.parity.run.reference import torch_threads
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_sha256
from runtimes.readers.metadata import read_metadata
from runtimes.registry import get_runtime, runtime_for
from runtimes.trial.session import load_untrusted

DEFAULT_IMAGES = 100


def check_parity(
    artifact: Path | str,
    checkpoint: Checkpoint,
    dataset: ImageDataset | None = None,
    *,
    limit: int | None = DEFAULT_IMAGES,
    runtime: str | None = None,
    threads: int = 1,
    limits: ParityTolerance | None = None,
    random_images: int = 0,
    name: str | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> ParityReport:
    """Verify that ``artifact`` computes what ``checkpoint``'s network computes.

    Args:
        artifact: an artifact of any format.
        checkpoint: what it should be the same function as. Where it was rewritten from this one within an accuracy budget,
            it is compared with the rewritten checkpoint beside it, and its answers with this one's.
        dataset: real images; their labels do not matter. The embedded sample by default.
        limit: at most this many images, balanced over the classes; ``None`` for all.
        runtime: to run the artifact with; by default the one for its ending.
        threads: of the runtime and of PyTorch.
        limits: what is allowed.
        random_images: as an extra, this many images of noise.
        name: what to call the artifact in the report, where it is not yet under its own name.
        head: ``output=NAME``, where several outputs of the artifact could hold the classes.
        progress: receives how many images of how many are done.

    Raises:
        UsageError: when the file is missing, damaged or cannot be compared with this checkpoint, or several of its outputs
            could hold the classes.
        MissingDependency: when its runtime is not installed.
    """
    started = time.perf_counter()
    path, label = Path(artifact), name or str(artifact)
    metadata = read_metadata(path)
    runtime_adapter = get_runtime(runtime) if runtime else runtime_for(path)
    source = dataset if dataset is not None else embedded_sample()
    made_from = metadata.checkpoint_sha256
    budget = spent_on(metadata, checkpoint)
    if budget is not None:
        rewritten = find_rewritten(path, made_from or "")
        report = check_parity(
            path, rewritten, dataset, limit=limit, runtime=runtime, threads=threads, limits=limits,
            random_images=random_images, name=name, head=head, progress=progress,
        )  # fmt: skip
        within = budget_check(
            label,
            budget,
            original=checkpoint,
            rewritten=rewritten,
            images=take(source, limit),
            artifact_top1=report.artifact_top1,
        )
        return replace(report, checks=(*report.checks, within), duration_s=time.perf_counter() - started)
    mismatch = bool(made_from and checkpoint.sha256 and made_from != checkpoint.sha256)
    carried = None if metadata.foreign or mismatch else carries_what_the_checkpoint_has(metadata, checkpoint)
    report = ParityReport(
        artifact=label,
        artifact_sha256=artifact_sha256(path),
        format=metadata.format,
        precision=metadata.precision or "fp32",
        checkpoint=str(checkpoint.path or checkpoint.name),
        checkpoint_sha256=checkpoint.sha256,
        runtime=runtime_adapter.version(),
        exact=is_exact(metadata),
        data=source.name,
        images=0,
        rounding_images=0,
        outputs=(),
        attention=(),
        flips=(),
        batches=(),
        checks=(checkpoint_check(label, made_from, checkpoint.sha256, carried),),
    )
    note: str | None = None
    with contextlib.ExitStack() as stack:
        loaded = load_untrusted(runtime_adapter, path, RuntimeOptions(threads=threads))
        stack.callback(loaded.close)
        # a file made from other weights is not compared: that its numbers differ says nothing new
        if not mismatch:
            check_fit(path, loaded, metadata, checkpoint)
            session = classes_output(path, loaded, checkpoint, head or said_output(metadata), origin(metadata))
            stack.enter_context(torch_threads(threads))
            images = take(source, limit)
            if gives_probabilities(path, session, metadata, checkpoint, images):
                note = "compared as probabilities: the network gives logits and the artifact their softmax"
                stack.enter_context(softmax_behind(checkpoint.network))
            runs = run_both(
                path,
                session,
                runtime=runtime_adapter,
                metadata=metadata,
                checkpoint=checkpoint,
                dataset=images,
                threads=threads,
                progress=progress,
            )
            measured = measure(
                runs,
                session,
                metadata=metadata,
                checkpoint=checkpoint,
                dataset=images,
                limits=limits or ParityTolerance(),
                random_images=random_images,
            )
            report = _fill(report, measured, label, note, session.other_outputs)
            if any(check.failed for check in report.checks[1:]):
                divergence = locate(
                    path,
                    runtime_adapter,
                    metadata=metadata,
                    checkpoint=checkpoint,
                    dataset=images,
                    measured=measured,
                    threads=threads,
                )
                report = _fill(
                    replace(report, first_divergence=divergence), measured, label, note, session.other_outputs
                )
    warning = reference_warning(report.reference_top1, report.images, len(checkpoint.classes))
    notes = tuple(remarks_on(source, exif=bool(checkpoint.preprocessing.get("exif"))))
    return replace(report, warning=warning, notes=notes, duration_s=time.perf_counter() - started)


def verify(
    artifacts: Sequence[Path | str],
    checkpoint: Checkpoint,
    dataset: ImageDataset | None = None,
    *,
    progress: Progress = SILENT,
    **options: Any,
) -> list[ParityReport]:
    """:func:`check_parity` of several artifacts, which takes the other ``options``.

    Args:
        artifacts: the files; all must be there before the first is run.
        checkpoint: what they should be the same function as.
        dataset: real images.
        progress: receives how many images of how many are done, under the artifact's name.
        options: of :func:`check_parity`.

    Raises:
        UsageError: as there.
    """
    for artifact in artifacts:
        read_metadata(artifact)
    reports = []
    for artifact in artifacts:
        named = ProgressOf(progress, Path(artifact).name)
        reports.append(check_parity(artifact, checkpoint, dataset, progress=named, **options))
    return reports


def _fill(
    report: ParityReport, measured: ParityMeasurements, label: str, note: str | None, other_outputs: Sequence[str]
) -> ParityReport:
    judge, layer = measured.judge, layer_of(report.first_divergence)
    checks = [report.checks[0]]
    scores = [
        output_check(label, row, judge=judge, excused=measured.excused, layer=layer, rule=rules.OUTPUT.id)
        for row in measured.outputs
    ]
    checks += scores if note is None else [replace(row, message=f"{row.message}; {note}") for row in scores]
    checks += [unknown_output_check(label, name, "network") for name in other_outputs]
    checks.append(flips_check(label, measured.flips, measured.images, judge, layer))
    if measured.dynamic:
        checks.append(attention_check(label, measured.attention, measured.attention_unseen, judge))
    checks += [batch_check(label, row) for row in measured.batches]
    if measured.random is not None:
        checks.append(output_check(label, measured.random, judge=judge, excused=0, layer=layer, rule=rules.RANDOM.id))
    return replace(
        report,
        images=measured.images,
        rounding_images=judge.rounding.images,
        outputs=measured.outputs,
        attention=measured.attention,
        flips=measured.flips,
        batches=measured.batches,
        checks=tuple(checks),
        reference_top1=measured.reference_top1,
        artifact_top1=measured.artifact_top1,
        skipped=measured.skipped,
        ill_conditioned=len(judge.image_rounding),
    )
