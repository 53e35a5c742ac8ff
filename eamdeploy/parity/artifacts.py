"""One artifact against another: for files whose checkpoint is not at hand, such as a foreign model and its quantized form.

The reference's own rounding cannot be measured (nothing runs it in float64) and its layers have no names in common with
anything, so the answer is coarser than one against a checkpoint: signal to noise of every output, and classes that change.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eamdeploy.base.chance import reference_warning
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress, ProgressOf
from eamdeploy.data import ImageDataset, embedded_sample
from eamdeploy.data.dataset import take
from eamdeploy.data.remarks import remarks_on
from eamdeploy.inference.head_finding import shown_head
from eamdeploy.inference.model_card import ModelCard, head_of
from eamdeploy.parity.compare.heads import common_form
from eamdeploy.parity.compare.measure import top1_percent
from eamdeploy.parity.compare.outputs import compare_output, find_flips
from eamdeploy.parity.compare.rounding import Rounding
from eamdeploy.parity.report import rules
from eamdeploy.parity.report.checks import flips_check, output_check, unknown_output_check
from eamdeploy.parity.report.judge import ParityJudge
from eamdeploy.parity.report.limits import ParityTolerance
from eamdeploy.parity.report.model import ParityReport
from eamdeploy.parity.run.every_output import pair_outputs, run_every_output
from eamdeploy.runs.findings import Check, Location
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_sha256
from runtimes.readers.metadata import read_metadata
from runtimes.registry import runtime_for
from runtimes.trial.session import load_untrusted


def verify_against_artifact(
    artifacts: Sequence[Path],
    reference: ModelCard,
    dataset: ImageDataset | None = None,
    *,
    limit: int | None = 100,
    threads: int = 1,
    limits: ParityTolerance | None = None,
    progress: Progress = SILENT,
) -> list[ParityReport]:
    """Run every artifact and the ``reference`` on the same images, each in its own runtime.

    Args:
        artifacts: files of any format.
        reference: the artifact to compare with, its classes and its preprocessing, which all of them get.
        dataset: real images; the embedded sample by default.
        limits: ``min_snr_db`` and ``min_agreement`` count.

    Raises:
        UsageError: when a file is missing or damaged, or they give different numbers of scores.
        MissingDependency: when a runtime is not installed.
    """
    images = take(dataset if dataset is not None else embedded_sample(), limit)
    for path in artifacts:
        read_metadata(path)
    reports = []
    for path in artifacts:
        named = ProgressOf(progress, path.name)
        reports.append(
            _compare(path, reference, images, threads=threads, limits=limits or ParityTolerance(), progress=named)
        )
    return reports


def _compare(
    path: Path,
    reference: ModelCard,
    images: ImageDataset,
    *,
    threads: int,
    limits: ParityTolerance,
    progress: Progress,
) -> ParityReport:
    started = time.perf_counter()
    metadata, runtime = read_metadata(path), runtime_for(path)
    options = RuntimeOptions(threads=threads)
    with contextlib.ExitStack() as stack:
        theirs = load_untrusted(runtime_for(reference.path), reference.path, options)
        stack.callback(theirs.close)
        ours = load_untrusted(runtime, path, options)
        stack.callback(ours.close)
        pairs = pair_outputs(ours.outputs, theirs.outputs)
        classes = reference.head.output or theirs.outputs[0].name
        if classes not in pairs.pairs:
            why = f"the classes are in '{classes}' of {reference.path}, and {path} has {_listed(pairs.extra)}"
            raise UsageError("the two artifacts cannot be compared", where=path, why=why)
        runs = run_every_output(ours, theirs, reference, images, progress)
    judge = ParityJudge(
        False, limits.factor, limits, Rounding(0, 0.0, output_abs=0.0, output_relative=0.0, alpha_abs={}, mean_abs={})
    )
    undecided_mask = np.zeros(len(runs.indices), dtype=bool)
    path_text = str(path)
    checks = [_unproven(path_text, reference)]
    outputs = []
    for name, our_output in pairs.pairs.items():
        value, expected = runs.ours[our_output], runs.theirs[name]
        if value.shape != expected.shape:
            why = f"of output '{name}' {path} gives {value.shape[1]} values an image and {reference.path} {expected.shape[1]}"
            raise UsageError("the two artifacts cannot be compared", where=path, why=why)
        head, note = reference.head, None
        if name == classes:
            declared = shown_head(path, our_output) if metadata.foreign else head_of(metadata)
            value, expected, head, note = common_form(value, expected, head, declared)
            answers = (value, expected, head)
        output = compare_output(name, value, expected, judge, undecided_mask)
        outputs.append(output)
        check = output_check(path_text, output, judge=judge, excused=0, layer=None, rule=rules.OUTPUT.id)
        checks.append(check if note is None else replace(check, message=f"{check.message}; {note}"))
    checks += [_absent(path_text, name, pairs.extra) for name in pairs.missing]
    checks += [unknown_output_check(path_text, name, "reference") for name in pairs.extra]
    value, expected, head = answers
    keys = [images.key(index) for index in runs.indices]
    flips = find_flips(
        value, expected, judge=judge, excused=undecided_mask, names=keys, classes=reference.classes, head=head
    )
    checks.append(flips_check(path_text, flips, len(value), judge, None))
    reference_top1 = top1_percent(expected, images, runs.indices, reference.classes, head)
    return ParityReport(
        artifact=path_text,
        artifact_sha256=artifact_sha256(path),
        format=metadata.format,
        precision=metadata.precision or "fp32",
        checkpoint=str(reference.path),
        checkpoint_sha256=artifact_sha256(reference.path),
        runtime=runtime.version(),
        exact=False,
        data=images.name,
        images=len(value),
        rounding_images=0,
        outputs=tuple(outputs),
        attention=(),
        flips=flips,
        batches=(),
        checks=tuple(checks),
        reference_top1=reference_top1,
        warning=reference_warning(reference_top1, len(value), len(reference.classes)),
        artifact_top1=top1_percent(value, images, runs.indices, reference.classes, head),
        skipped=tuple(runs.skipped),
        notes=tuple(remarks_on(images, exif=reference.preprocessing.exif)),
        duration_s=time.perf_counter() - started,
    )


def _unproven(path_text: str, reference: ModelCard) -> Check:
    message = f"compared with {reference.path}, an artifact: outputs and classes alone"
    place = Location(path_text)
    return Check("checkpoint", False, message, path_text, rules.CHECKPOINT.id, skipped=True, location=place)


def _absent(path_text: str, name: str, extra: Sequence[str]) -> Check:
    other = f"; it has {_listed(extra)} instead" if extra else ""
    message = f"the artifact has no such output{other}"
    return Check(f"output {name}", False, message, path_text, rules.OUTPUT.id, location=Location(path_text))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "no other output"
