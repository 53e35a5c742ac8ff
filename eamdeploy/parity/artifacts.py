"""One artifact against another: for files whose checkpoint is not at hand, such as a foreign model and its quantized form.

The reference's own rounding cannot be measured (nothing runs it in float64) and its layers have no names in common with
anything, so the answer is coarser than one against a checkpoint: signal to noise of the scores, and classes that change.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import UsageError
from eamdeploy.data import ImageDataset, embedded_sample
from eamdeploy.data.dataset import take
from eamdeploy.data.stream import chunks
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.parity.compare.measure import top1_percent
from eamdeploy.parity.compare.outputs import compare_output, find_flips
from eamdeploy.parity.compare.rounding import Rounding
from eamdeploy.parity.report import rules
from eamdeploy.parity.report.checks import flips_check, output_check
from eamdeploy.parity.report.judge import Judge
from eamdeploy.parity.report.limits import ParityLimits
from eamdeploy.parity.report.model import ParityReport
from eamdeploy.parity.run.batches import fixed_batch, run_scores
from eamdeploy.runs.findings import Check, Location
from runtimes.protocol import RuntimeOptions, Session
from runtimes.readers.metadata import read_metadata
from runtimes.registry import runtime_for

CHUNK = 64
Progress = Callable[[str, int, int], None]


def verify_against_artifact(
    artifacts: Sequence[Path],
    reference: ModelCard,
    dataset: ImageDataset | None = None,
    *,
    limit: int | None = 100,
    threads: int = 1,
    limits: ParityLimits | None = None,
    progress: Progress | None = None,
) -> list[ParityReport]:
    """Run every artifact and the ``reference`` on the same images, each in its own runtime.

    Args:
        artifacts: .onnx and .tflite files.
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
    made = []
    for path in artifacts:
        tell = None if progress is None else functools.partial(progress, path.name)
        made.append(_compare(path, reference, images, threads, limits or ParityLimits(), tell))
    return made


def _compare(
    path: Path,
    reference: ModelCard,
    images: ImageDataset,
    threads: int,
    limits: ParityLimits,
    progress: Callable[[int, int], None] | None,
) -> ParityReport:
    started = time.perf_counter()
    metadata, runtime = read_metadata(path), runtime_for(path)
    options = RuntimeOptions(threads=threads)
    theirs = runtime_for(reference.path).load(reference.path, options)
    try:
        ours = runtime.load(path, options)
        try:
            value, expected, indices, skipped = _scores(ours, theirs, reference, images, progress)
        finally:
            ours.close()
        name = theirs.outputs[0].name
    finally:
        theirs.close()
    if value.shape != expected.shape:
        why = f"{path} gives {value.shape[1]} scores and {reference.path} {expected.shape[1]}"
        raise UsageError("the two artifacts cannot be compared", where=path, why=why)
    judge = Judge(False, limits.factor, limits, Rounding(0, 0.0, 0.0, 0.0, {}, {}))
    held = np.zeros(len(value), dtype=bool)
    output = compare_output(name, value, expected, judge, held)
    keys = [images.key(index) for index in indices]
    flips = find_flips(value, expected, judge, held, keys, reference.classes)
    shown = str(path)
    unproven = Check(
        "checkpoint", False, f"compared with {reference.path}, an artifact: scores and classes alone", shown,
        rules.CHECKPOINT.id, skipped=True, location=Location(shown),
    )  # fmt: skip
    checks = (
        unproven,
        output_check(shown, output, judge, 0, None, rules.OUTPUT.id),
        flips_check(shown, flips, len(value), judge, None),
    )
    return ParityReport(
        artifact=shown,
        artifact_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        format=metadata.format,
        precision=metadata.precision or "fp32",
        checkpoint=str(reference.path),
        checkpoint_sha256=hashlib.sha256(reference.path.read_bytes()).hexdigest(),
        runtime=runtime.version(),
        exact=False,
        data=images.name,
        images=len(value),
        rounding_images=0,
        outputs=(output,),
        attention=(),
        flips=flips,
        batches=(),
        checks=checks,
        reference_top1=top1_percent(expected, images, indices, reference.classes),
        artifact_top1=top1_percent(value, images, indices, reference.classes),
        skipped=tuple(skipped),
        duration_s=time.perf_counter() - started,
    )


def _scores(
    ours: Session,
    theirs: Session,
    reference: ModelCard,
    images: ImageDataset,
    progress: Callable[[int, int], None] | None,
) -> tuple[np.ndarray, np.ndarray, list[int], list[str]]:
    """Scores (n, classes) of both, positions of the images that decode, names of those that do not."""
    skipped: list[str] = []
    indices: list[int] = []
    pieces: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    size = max(CHUNK, *(fixed_batch(session) or 1 for session in (ours, theirs)))
    for found, prepared in chunks(images, reference.preprocessing.apply, size, skipped):
        batch = np.stack(prepared)
        for session, kept in zip((ours, theirs), pieces, strict=True):
            kept.append(run_scores(session, batch, fixed_batch(session) or 1))
        indices += found
        if progress is not None:
            progress(len(indices) + len(skipped), len(images))
    return np.concatenate(pieces[0]), np.concatenate(pieces[1]), indices, skipped
